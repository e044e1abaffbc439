// Random calls, with right and wrong arguments, of every public method, getter and function, on streams in each
// of seven states: `node every-call.mjs SEED CALLS`. Each call returns a value of its type, or throws, or
// rejects with an error that has a code; every promise settles, and every stream closes. Prints what was
// called, as JSON. SEED:NUMBER in place of SEED is one stream alone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough, Readable, Transform, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

import * as patchcord from 'patchcord';
import * as testing from 'patchcord/testing';

import { generator } from './generator.mjs';

const [seedText = '1', countText = '10000'] = process.argv.slice(2);
const [seed, only] = seedText.split(':').map(Number);
const count = Number(countText);
const folder = mkdtempSync(join(tmpdir(), 'patchcord-calls-'));
process.chdir(folder); // a random text may be the path of a file to write
const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const backend = new testing.SimulatedAudio();
const player = backend.addProcess({ name: 'player' });
player.play(testing.tone(440), { device: 'speakers' });

let files = 0;
const path = () => join(folder, `${++files}.wav`);
const makers = {
  MicSource: () => new patchcord.MicSource({ backend }),
  LoopbackSource: () => new patchcord.LoopbackSource({ backend, clock: 'host' }),
  ProcessSource: () => new patchcord.ProcessSource({ backend, process: player.pid }),
  SpeakerSink: () => new patchcord.SpeakerSink({ backend, format }),
  'SpeakerSink of unknown format': () => new patchcord.SpeakerSink({ backend }),
  'SpeakerSink of a live producer': () =>
    new patchcord.SpeakerSink({ backend, format, live: true }),
  VirtualMicSink: () => new patchcord.VirtualMicSink({ backend, format }),
  Mixer: () => new patchcord.Mixer(),
  'Mixer of a source': () => {
    const mixer = new patchcord.Mixer();
    const source = new patchcord.MicSource({ backend });
    source.pipe(mixer.createInput());
    mixer.once('close', () => source.destroy());
    return mixer;
  },
  MixerInput: () => new patchcord.Mixer().createInput({ format }),
  Resampler: () => new patchcord.Resampler({ sampleRate: 16000, from: format }),
  Gain: () => new patchcord.Gain({ gain: 0.5, from: format, chunkFrames: 100 }),
  'Gain of a source': () => {
    const gain = new patchcord.Gain();
    const source = new patchcord.MicSource({ backend });
    source.pipe(gain);
    gain.once('close', () => source.destroy());
    return gain;
  },
  Limiter: () => new patchcord.Limiter({ from: format }),
  EchoCanceller: () =>
    new patchcord.EchoCanceller({ reference: new patchcord.ToneSource(), from: format }),
  'linked EchoCanceller': () => {
    const mic = new patchcord.MicSource({ backend });
    const reference = new patchcord.LoopbackSource({ backend });
    const canceller = mic.pipe(new patchcord.EchoCanceller({ reference }));
    canceller.once('close', () => {
      mic.destroy();
      reference.destroy();
    });
    return canceller;
  },
  LevelMeter: () => new patchcord.LevelMeter({ from: format }),
  LoudnessNormalizer: () => new patchcord.LoudnessNormalizer({ from: format }),
  ToneSource: () => new patchcord.ToneSource({ durationMs: 100 }),
  WavReader: () => new patchcord.WavReader(),
  WavWriter: () => new patchcord.WavWriter(path(), { format }),
  WavEncoder: () => new patchcord.WavEncoder({ format }),
  Meeting: () => patchcord.captureMeeting({ backend }),
  'mix of a Meeting': () => trackOf(patchcord.captureMeeting({ backend, system: false }), 'mix'),
  'mic of a Meeting': () => trackOf(patchcord.captureMeeting({ backend, echo: true }), 'mic'),
  DeviceMonitor: () => new patchcord.DeviceMonitor({ backend }),
  ProcessMonitor: () => new patchcord.ProcessMonitor({ backend, levelMs: 20 }),
};

function trackOf(meeting, name) {
  meeting.on('error', checkError);
  meeting[name].once('close', () => meeting.destroy());
  return meeting[name];
}

const failure = Object.assign(new Error('the app failed it'), { code: 'ERR_OF_THE_APP' });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const soon = (promise, ms = 300) => Promise.race([promise, delay(ms)]).catch(() => {});
/** When each stream closed. */
const closings = new WeakMap();
const closed = (stream) => closings.get(stream);

/** Brings a stream into a state. */
const states = {
  constructed: () => undefined,
  opening: () => turn(),
  open: (stream) => soon(stream.ready, 50),
  ended: async (stream) => {
    stream.resume?.();
    stream.end?.();
    if (stream.setDevice && stream.read) stream.close().catch(() => {});
    await soon(closed(stream), 100);
  },
  closed: (stream) => soon(Promise.all([stream.close?.(), closed(stream)])),
  destroyed: async (stream) => {
    const over = closed(stream);
    (stream.destroy ?? stream.close).call(stream);
    await over;
  },
  failed: async (stream) => {
    const over = closed(stream);
    if (stream.destroy) stream.destroy(failure);
    else stream.close();
    await over;
  },
};

// Members that no app calls: they are for other classes of the package, or for Node.
const internal = new Set(
  (
    'constructor producer host takeDriver releaseDriver watch unwatch mixEnded mixedOut retry linked linkStats ' +
    'lostByReader untilTaken enter makeMore producerEnded releaseConsumers findTarget openTarget attended ' +
    'prepare devicesChanged destination heardBy demandedFormat plan progressed kernel retried ' +
    'checkLink reference readReference emit opened fail finish tapped openPrograms openIsolated openTap consumersChanged'
  ).split(' '),
);
const node = new Set(
  [Readable, Writable, Duplex, Transform, PassThrough].map((one) => one.prototype),
);
const ofNode = [
  ...['read', 'write', 'end', 'unpipe', 'pause', 'resume', 'setEncoding', 'destroy', 'cork'],
  ...['uncork', 'isPaused', 'readableFlowing', 'readableLength', 'writableLength', 'errored'],
];

// Classes that an app gets instances of, and does not construct.
const abstract = new Set(
  'AudioError AudioReadable AudioSource AudioSink AudioTransform MixerInput SimulatedDevice SimulatedProcess'.split(
    ' ',
  ),
);

/** Names of what an app may call or read. */
function namesOf(stream) {
  const names = new Set([...ofNode, 'pipe'].filter((name) => name in stream));
  for (
    let at = Object.getPrototypeOf(stream);
    at && !node.has(at);
    at = Object.getPrototypeOf(at)
  ) {
    if (at.constructor.name === 'EventEmitter') break;
    for (const name of Object.getOwnPropertyNames(at)) {
      if (!internal.has(name) && !name.startsWith('_')) names.add(name);
    }
  }
  return [...names].sort();
}

function isGetter(stream, name) {
  for (let at = stream; at; at = Object.getPrototypeOf(at)) {
    const property = Object.getOwnPropertyDescriptor(at, name);
    if (property) return property.get !== undefined;
  }
  return false;
}

const types = {
  timeAt: 'bigint',
  frameAt: 'number',
  position: 'number',
  firstFrame: 'number',
  stats: 'object',
  level: 'object',
  live: 'boolean',
  muted: 'boolean',
  enabled: 'boolean',
  chunks: 'object',
  format: 'object',
  devices: 'object',
  processes: 'object',
  inputs: 'object',
};

/** Every number of a report that is none, by its path. NaN is a level that is not known. */
function notNumbers(value, at = '') {
  if (typeof value === 'number') return Number.isNaN(value) && !at.endsWith('levelDb') ? [at] : [];
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  if (value instanceof Promise || value instanceof Readable || value instanceof Writable) return [];
  return Object.entries(value).flatMap(([key, one]) => notNumbers(one, `${at}.${key}`));
}

function checkError(error) {
  assert.ok(error instanceof Error, `no error: ${inspect(error)}`);
  assert.match(String(error.code), /^(ERR_[A-Z_]+|ABORT_ERR|E[A-Z]+)$/, error);
  counts.errors[error.code] = (counts.errors[error.code] ?? 0) + 1;
}

const counts = { calls: 0, streams: 0, values: 0, names: new Set(), errors: {} };

async function oneStream(number) {
  const random = generator(seed * 1_000_003 + number);
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  const chance = (p) => random() < p;
  const others = [];
  const own = (stream) => {
    stream.on('error', checkError);
    const closing = new Promise((resolve) => stream.once('close', () => resolve(stream)));
    closings.set(stream, stream.closed ? Promise.resolve(stream) : closing);
    others.push(stream);
    return stream;
  };

  const garbage = () =>
    pick([
      () => undefined,
      () => null,
      () => pick([NaN, Infinity, -Infinity, -1, 0, 0.5, 1, 5, 1e18, 2 ** 53, -1e300]),
      () => pick(['', 'default', 'no such device', 'mic', 'base64', 'f32']),
      () => ({}),
      () => ({ rampMs: pick([-1, 0, 5, NaN, '5']), chunkMs: pick([0, 10]), none: 1 }),
      () => [],
      () => [[1, 0], 'x'],
      () => () => {},
      () => Symbol('s'),
      () => pick([0n, 5n, -(2n ** 64n), 2n ** 70n]),
      () => Buffer.alloc(pick([0, 1, 7, 4096])),
      () => new Float32Array(3),
      () => /x/,
      () => true,
      () => new Proxy({}, {}),
      () => Object.create(null),
    ])();
  const options = (names) => {
    const chosen = names.filter(() => chance(0.4));
    return Object.fromEntries(chosen.map((name) => [name, garbage()]));
  };
  const destination = () =>
    pick([
      () => own(new Writable({ write: (_chunk, _encoding, done) => done() })),
      () => own(new patchcord.Gain()),
      () => own(new patchcord.SpeakerSink({ backend })),
      () => own(new patchcord.Mixer().createInput()),
      () => own(new patchcord.Resampler({ sampleRate: 16000 })),
      () => own(new patchcord.WavEncoder()).resume(),
    ])();
  const ramp = () => pick([undefined, { rampMs: pick([0, 5]) }]);
  const right = {
    timeAt: () => [pick([0, 480.5, -480, 1e9])],
    frameAt: () => [process.hrtime.bigint() + BigInt(below(1e9))],
    setGain: () => [random(), ramp()],
    setPan: () => [random(), ramp()],
    setMuted: () => [chance(0.5), ramp()],
    clear: () => [ramp()],
    setFormat: () => [{ ...format, sampleRate: 44100 }],
    setDeviceFormat: () => [format],
    setDevice: () => [pick(['default', 'mic', 'speakers'])],
    write: () => [Buffer.alloc(8 * below(3000)), () => {}],
    pipe: () => [destination()],
    setEncoding: () => [pick(['base64', 'latin1'])],
    destroy: () => [pick([undefined, failure])],
    end: () => [],
    read: () => [],
    setMode: () => [pick(['both', 'mic'])],
    setGains: () => [{ mic: random() }, ramp()],
    stopAt: () => [process.hrtime.bigint()],
    toFiles: () => [{ mix: path() }],
  };

  const check = (name, value) => {
    counts.values++;
    const type = types[name];
    if (type) assert.equal(typeof value, type, `${name} gives ${inspect(value)}`);
    const bad = notNumbers(value);
    assert.deepEqual(bad, [], `${name} gives ${inspect(value)}`);
  };
  const pending = [];
  const unsettled = [];
  const call = (name, work) => {
    const label = running;
    counts.calls++;
    counts.names.add(name);
    try {
      const value = work();
      if (value instanceof Promise) {
        unsettled.push(label);
        const settled = value.then((result) => check('', result), checkError);
        pending.push(settled.then(() => unsettled.splice(unsettled.indexOf(label), 1)));
      } else if (name.endsWith('.chunks')) {
        const next = value.next().then(() => {}, checkError);
        pending.push(
          soon(next, 20).then(() => value.return()),
          next,
        );
      } else {
        check(name.split('.').pop(), value);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      checkError(error);
    }
  };

  // Functions and constructors.
  const functions = { ...patchcord, ...testing };
  const exported = Object.keys(functions).filter(
    (name) => typeof functions[name] === 'function' && !abstract.has(name),
  );
  for (let k = 0; k < 3; k++) {
    const name = pick(exported);
    const given = chance(0.3)
      ? [garbage(), garbage()]
      : [
          {
            backend,
            ...options(['device', 'format', 'from', 'gain', 'chunkMs', 'channels', 'sampleRate']),
            ...options(['signal', 'latencyMs', 'bufferMs', 'process', 'recover', 'durationMs']),
          },
        ];
    const construct = /^[A-Z]/.test(name);
    call(name, () => {
      const made = construct ? new functions[name](...given) : functions[name](...given);
      if (made?.on && made.close) own(made);
      return made instanceof Promise ? made : undefined;
    });
    if (typeof functions[name].open === 'function') {
      call(`${name}.open`, () => functions[name].open(...given).then((made) => void own(made)));
    }
  }

  const kind = pick(Object.keys(makers));
  const state = pick(Object.keys(states));
  running = `${kind}, ${state}`;
  const stream = own(makers[kind]());
  await states[state](stream);
  const names = namesOf(stream);
  for (let left = 12; left > 0; left--) {
    const name = pick(names);
    // Node decides what it does with wrong arguments.
    running = `${kind}, ${state}: ${name}`;
    const label = `${stream.constructor.name}.${name}`;
    // A getter may throw, as `format` does before it is known.
    if (isGetter(stream, name)) {
      call(label, () => stream[name]);
      if (name === 'enabled') stream.enabled = garbage();
      continue;
    }
    const member = stream[name];
    if (typeof member !== 'function') continue;
    // Node decides what it does with wrong arguments.
    const isNodes = ofNode.includes(name) || member === Readable.prototype[name];
    const isRight = isNodes || chance(0.5);
    const given = isRight ? (right[name]?.() ?? []) : Array.from({ length: below(3) }, garbage);
    running += `(${given.map((one) => inspect(one, { depth: 0 })).join(', ')})`;
    call(label, () => member.apply(stream, given));
    if (chance(0.2)) await turn();
    if (chance(0.05)) await delay(5);
  }

  running += ', then destroyed';
  for (const one of others) (one.destroy ?? one.close).call(one);
  const all = Promise.all([...pending, ...others.map(closed)]);
  const limit = new AbortController();
  const late = delay(10_000, 'late', { signal: limit.signal }).catch(() => {});
  const outcome = await Promise.race([all, late]);
  limit.abort();
  if (outcome === 'late') {
    const open = others.filter((one) => one.closed === false).map((one) => one.constructor.name);
    throw new Error(`after 10 s still open: ${open.join(', ') || unsettled.join(', ')}`);
  }
  counts.streams++;
}

let running = '';
let number = only ?? 0;
const fail = (reason) => (error) => {
  console.error(`${reason} in ${seed}:${number}, ${running}`, error);
  process.exit(1);
};
process.on('uncaughtException', fail('uncaughtException'));
process.on('unhandledRejection', fail('unhandledRejection'));
for (; counts.calls < count; number++) {
  await oneStream(number).catch(fail('a wrong answer'));
  if (only !== undefined) break;
}
await backend[Symbol.asyncDispose]();
process.chdir(tmpdir());
rmSync(folder, { recursive: true });
// Not by itself: a stream that a call has opened may wait for its device for a minute.
const report = JSON.stringify({ ...counts, names: [...counts.names].sort() });
process.stdout.write(`${report}\n`, () => process.exit());
