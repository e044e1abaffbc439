// Random commands to random streams, in random order and without waiting for one another, while devices
// come and go: `node --expose-gc sequences.mjs SEED COUNT`, on PATCHCORD_BACKEND. Nothing may crash, hang,
// raise what it does not document, or leave a stream open; a timeline that is read has no gap. Prints
// what was done, as JSON. SEED:NUMBER in place of SEED is one sequence alone.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import {
  AudioError,
  Gain,
  LoopbackSource,
  MicSource,
  Mixer,
  Resampler,
  SpeakerSink,
  VirtualMicSink,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { generator } from './generator.mjs';

const [seedText = '1', countText = '100'] = process.argv.slice(2);
const [seed, only] = seedText.split(':').map(Number);
const count = Number(countText);

// The errors that a stream may have here.
const allowed = new Set([
  'ERR_AUDIO_DEVICE_LOST',
  'ERR_AUDIO_DEVICE_NOT_FOUND',
  'ERR_AUDIO_BACKEND_UNAVAILABLE',
  'ERR_AUDIO_FEEDBACK',
  'ERR_AUDIO_GRAPH_CYCLE',
  'ERR_AUDIO_PERMISSION_DENIED',
  'ERR_AUDIO_UNSUPPORTED',
  'ERR_AUDIO_FORMAT_UNKNOWN',
  'ERR_AUDIO_PARTIAL_FRAME',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_STREAM_ALREADY_FINISHED',
  'ABORT_ERR',
]);
const counts = { sequences: 0, commands: 0, streams: 0, chunks: 0, failures: {} };

function failed(error) {
  const code = error?.code ?? error?.message;
  // Superseded or closed meanwhile: an error with this message, from promises only.
  const told = error instanceof Error && /closed before|came before this one/.test(error.message);
  assert.ok(allowed.has(code) || told, error);
  counts.failures[told ? 'told' : code] = (counts.failures[told ? 'told' : code] ?? 0) + 1;
}

async function reach() {
  if (process.env.PATCHCORD_BACKEND !== 'wasapi') {
    const audio = new SimulatedAudio();
    audio.device('mic').play(tone(997));
    audio.addDevice({ id: 'webcam', flow: 'input' });
    audio.addDevice({ id: 'headset', flow: 'output' });
    return {
      options: { backend: audio },
      device: (id, verb) => void audio.device(id)[verb](),
      server: () => (audio.serverGone(), setTimeout(() => audio.serverBack(), 5)),
    };
  }
  const { steerMmdevapi } = await import('../../windows/mmdevapi-control.mjs');
  const { listDevices } = await import('patchcord');
  const windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  await listDevices();
  const here = await windows.process(process.pid);
  await here.send('device webcam input 44100 1 s16 webcam');
  await here.send('device headset output 44100 2 s16 headset');
  await here.send('play mic tone 997 0.25');
  const verbs = { setDefault: (id) => `default ${id} console` };
  return {
    options: {},
    names: { mic: 'Microphone', speakers: 'Speakers', 'cable-input': 'CABLE Input' },
    device: (id, verb) => here.send(verbs[verb]?.(id) ?? `${verb} ${id}`),
    server: () => here.send('service stopped').then(() => here.send('service running')),
    objects: () => here.send('objects'),
    close: () => windows.close(),
  };
}

const system = await reach();
const nameOf = (id) => system.names?.[id] ?? id;

async function sequence(number) {
  const random = generator(seed * 1_000_003 + number);
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  const chance = (p) => random() < p;
  const streams = [];
  const background = [];
  const sources = () => streams.filter((one) => one.setDevice && one.readable !== undefined);
  const readables = () => streams.filter((one) => typeof one.chunks === 'function');
  const writables = () => streams.filter((one) => typeof one.write === 'function');

  const made = (stream) => {
    stream.on('error', failed);
    stream.ready?.catch(() => {});
    streams.push(stream);
    counts.streams++;
  };
  const recover = () => pick([undefined, true, false, { giveUpAfterMs: 1 + below(30) }]);
  const input = () => pick(['default', 'mic', 'webcam']);
  const output = () => pick(['default', 'speakers', 'headset']);
  const source = () => ({
    ...system.options,
    recover: recover(),
    clock: pick(['device', 'host']),
    sampleRate: pick([48000, 44100, 16000]),
    chunkMs: pick([10, 20]),
    durationMs: chance(0.1) ? 10 + below(40) : undefined,
  });

  // One that reads, and looks at what it reads.
  const read = async (stream, chunks) => {
    let next;
    for await (const { data, frame, frames } of stream.chunks()) {
      if (next !== undefined) assert.equal(frame, next, 'the timeline has a gap');
      next = frame + frames;
      assert.ok(data.length > 0);
      counts.chunks++;
      if (--chunks === 0) break;
    }
  };
  const readable = () => pick(readables());
  const commands = [
    () => made(new MicSource({ ...source(), device: nameOf(input()) })),
    () => made(new MicSource({ ...source(), device: nameOf(input()) })),
    () => made(new LoopbackSource({ ...source(), device: nameOf(output()) })),
    () =>
      made(new SpeakerSink({ ...system.options, recover: recover(), device: nameOf(output()) })),
    () => {
      const options = { ...system.options, recover: recover(), device: nameOf('cable-input') };
      made(new VirtualMicSink(options));
    },
    () => made(new Mixer({ limiter: chance(0.5) })),
    () => {
      const mixer = pick(streams.filter((one) => one instanceof Mixer));
      if (mixer && !mixer.destroyed) made(mixer.createInput({ gain: random() }));
    },
    () => made(pick([() => new Gain(), () => new Resampler({ sampleRate: 32000 })])()),
    ...Array.from({ length: 4 }, () => () => {
      const to = pick(writables());
      if (to) readable()?.pipe(to);
    }),
    () => readable()?.unpipe(chance(0.5) ? pick(writables()) : undefined),
    () => readable()?.resume(),
    () => readable()?.pause(),
    () => readable()?.read(),
    () => readable()?.on('data', () => {}),
    () => {
      const stream = readable();
      if (stream) background.push(read(stream, 1 + below(5)).catch(failed));
    },
    () => pick(writables())?.write(Buffer.alloc(8 * below(2000))),
    () => pick(writables())?.end(),
    () => pick(sources())?.stats(),
    () => {
      const stream = pick(sources());
      if (stream) stream.enabled = chance(0.5);
    },
    ...Array.from({ length: 3 }, () => () => {
      const stream = pick(streams.filter((one) => one.setDevice));
      const device = nameOf(pick([input(), output()]));
      if (stream) background.push(stream.setDevice(device).catch(failed));
    }),
    ...Array.from({ length: 2 }, () => () => {
      const stream = pick(streams);
      if (stream?.close) background.push(Promise.resolve(stream.close()).catch(failed));
    }),
    () => pick(streams)?.destroy(),
    () => system.device(pick(['mic', 'webcam']), 'unplug'),
    () => system.device(pick(['speakers', 'headset']), 'unplug'),
    () => system.device(pick(['mic', 'webcam', 'speakers', 'headset']), 'plug'),
    () => system.device(pick(['mic', 'webcam', 'speakers', 'headset']), 'setDefault'),
    () => (chance(0.1) ? system.server() : undefined),
    () => (chance(0.2) ? globalThis.gc?.() : undefined),
  ];

  for (let left = 8 + below(25); left > 0; left--) {
    counts.commands++;
    try {
      await pick(commands)();
    } catch (error) {
      // Errors of Node's own streams, and of the use of a stream that is over.
      if (!(error instanceof AudioError)) assert.match(String(error?.code), /^ERR_/, error);
    }
    if (chance(0.4)) await delay(below(4));
    else if (chance(0.1)) await delay(below(40));
    else if (chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
  }

  for (const id of ['mic', 'webcam', 'speakers', 'headset']) await system.device(id, 'plug');
  for (const stream of streams) {
    if (chance(0.5) && stream.close) background.push(Promise.resolve(stream.close()).catch(failed));
    stream.destroy();
  }
  const over = Promise.all([
    ...background,
    ...streams.map((one) => one.closed || new Promise((resolve) => one.once('close', resolve))),
  ]);
  const limit = new AbortController();
  const late = delay(20_000, 'late', { signal: limit.signal }).catch(() => {});
  const outcome = await Promise.race([over, late]);
  limit.abort();
  if (outcome === 'late') {
    const open = streams.filter((one) => !one.closed).map((one) => one.constructor.name);
    throw new Error(`after 20 s still open: ${open.join(', ') || 'a promise'}`);
  }
  counts.sequences++;
}

let running = 0;
for (const reason of ['uncaughtException', 'unhandledRejection']) {
  process.on(reason, (error) => {
    console.error(`${reason} in sequence ${seed}:${running}`, error);
    process.exit(1);
  });
}
const idle = await system.objects?.();
const numbers = only === undefined ? Array.from({ length: count }, (_, i) => i) : [only];
for (running of numbers) {
  try {
    await sequence(running);
  } catch (error) {
    console.error(`sequence ${seed}:${running}`, error);
    process.exit(1);
  }
}
if (system.objects) {
  for (let i = 0; i < 500 && (await system.objects()) !== idle; i++) await delay(10);
  assert.equal(await system.objects(), idle, 'COM objects are left');
}
await system.close?.();
console.log(JSON.stringify(counts));
