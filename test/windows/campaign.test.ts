// The fault campaign: the unmodified addon on the simulated Windows audio engine, one fault at a time. Each stream
// ends with the right code or survives; every hole in its timeline is reported, and reported correctly; its device
// is released; and the next stream opens. A stream that waits for its device continues with it.
// PATCHCORD_CAMPAIGN=<seed>:<count> chooses some
// of the faults, `#<number>,...` names some, `all` runs them all in order (`npm run campaign:windows`).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  listDevices,
  LoopbackSource,
  MicSource,
  SpeakerSink,
  ToneSource,
  type AudioChunk,
  type AudioError,
  type AudioSource,
} from 'patchcord';

import { event, until } from '../conformance/wait.js';
import { findGaps, seededRandom, toFloat } from '../instruments/index.js';
import { allFaults, type CampaignFault, type Kind } from './campaign-faults.js';
import { steerThisProcess, type SteeredProcess, type Windows } from './steer-this-process.js';

const backend = 'wasapi';
const rate = 48000;
const frequency = 997;
const enough = rate / 4; // frames, before a fault and after it
const fadeFrames = (3 * rate) / 1000; // how long the tone takes to fall to silence, and to rise again
const rounding = 8; // frames by which a fall seems to begin earlier or later, because its last samples round to zero

let windows: Windows;
let here: SteeredProcess;
let idle: string; // COM objects that are alive while nothing streams
const counts = { survived: 0, lostFrames: 0, ended: {} as Record<string, number> };
const recoveries: number[] = []; // ms from the device's return to the stream's

beforeAll(async () => {
  ({ windows, here } = await steerThisProcess());
  idle = await here.send('objects');
});
afterAll(async () => {
  recoveries.sort((a, b) => a - b);
  const at = (part: number) => recoveries[Math.floor(part * (recoveries.length - 1))];
  const recovered = { count: recoveries.length, medianMs: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
  console.log(JSON.stringify({ ...counts, recovered }));
  if (recoveries.length > 0) expect(recovered.medianMs).toBeLessThan(300);
  await windows.close();
});

describe('a fault', () => {
  it.each(chosen())(
    '%s',
    async (_name, fault, number) => {
      const id = `d${number}`;
      const flow = fault.kind === 'microphone' ? 'input' : 'output';
      await here.send(`device ${id} ${flow} ${fault.format ?? `${rate} 2 f32`} "Device ${number}"`);
      if (fault.kind !== 'output') await here.send(`play ${id} tone ${frequency} 0.25`);
      try {
        await suffer(fault, id, await here.send(`id ${id}`));
      } finally {
        await here.send('mend');
        await here.send('service running');
        await here.send(`remove ${id}`).catch(() => {}); // the fault was that
      }
      // Nothing of it is left, and the next one opens. (A lost service took its enumerator along.)
      await listDevices({ backend });
      await until(async () => (await here.send('objects')) === idle, `${idle} COM objects`);
      const next = new MicSource({ backend, device: 'Microphone' });
      await next.ready;
      await next.close();
    },
    30_000,
  );
});

function chosen(): [name: string, fault: CampaignFault, number: number][] {
  const all = allFaults().map((fault, i): [string, CampaignFault, number] => {
    const commands =
      fault.commands.length > 3 ? `${fault.commands.length} commands` : fault.commands.join('; ');
    const format = fault.format ? ` (${fault.format})` : '';
    return [`${i}: ${fault.kind}${format} ${fault.state}: ${commands}`, fault, i];
  });
  const wanted = process.env.PATCHCORD_CAMPAIGN ?? '1:24';
  if (wanted === 'all') return all;
  if (wanted.startsWith('#')) {
    const numbers = wanted.slice(1).split(',').map(Number);
    return all.filter(([, , number]) => numbers.includes(number));
  }
  const [seed, count] = wanted.split(':').map(Number);
  const random = seededRandom(seed);
  return all
    .map((one) => ({ one, order: random() }))
    .sort((a, b) => a.order - b.order)
    .slice(0, count)
    .map(({ one }) => one);
}

async function suffer(fault: CampaignFault, id: string, endpoint: string): Promise<void> {
  const send = async (commands: readonly string[]) => {
    for (const command of commands)
      await here.send(command.replaceAll('<d>', id).replaceAll('<other>', 'mic'));
  };
  const strike = () => send(fault.commands);
  if (fault.state === 'before it opens') await strike();
  const recover = fault.returns !== undefined;
  const stream = open(fault.kind, endpoint, recover, fault.state !== 'while nobody reads it');
  if (fault.state !== 'before it opens') {
    await until(() => stream.position() > enough || stream.error() !== undefined, 'it flows');
    expect(stream.error()).toBeUndefined();
    const told = fault.returns && [stream.gone(), stream.recovered()];
    await strike();
    if (fault.returns && told) {
      await told[0];
      await send(fault.returns);
      const returned = performance.now();
      await told[1];
      // By itself, it may have been back before its absence was reported here.
      recoveries.push(Math.max(0, performance.now() - returned));
    }
  }
  if (fault.state !== 'while it closes') {
    const from = stream.position();
    await until(
      () =>
        stream.error() !== undefined ||
        (fault.ends.length === 0 && stream.position() > from + enough),
      fault.ends.length > 0 ? `it ends with ${fault.ends.join(' or ')}` : 'it flows on',
      10_000,
    );
  }
  await stream.close();

  const { code } = stream.error() ?? {};
  if (fault.state === 'while it closes') expect([...fault.ends, undefined]).toContain(code);
  else if (fault.ends.length > 0) expect(fault.ends).toContain(code);
  else expect(code).toBeUndefined();
  if (code) counts.ended[code] = (counts.ended[code] ?? 0) + 1;
  else counts.survived++;
  // A simulated device also loses frames if its thread wakes too late.
  stream.judge(
    fault,
    fault.lost === undefined ? 0 : Number((await here.send(`stats ${id}`)).split(' ')[3]),
  );
}

/** The campaign's use of a stream of any kind. */
interface Sufferer {
  position(): number;
  error(): AudioError | undefined;
  gone(): Promise<unknown>;
  recovered(): Promise<unknown>;
  /** Resolves when it is over, also after an error. */
  close(): Promise<void>;
  /** `lost`: the frames that the world knows to be lost. */
  judge(fault: CampaignFault, lost: number): void;
}

function open(kind: Kind, device: string, recover: boolean, read: boolean): Sufferer {
  return kind === 'output'
    ? openOutput(device, recover, read)
    : openInput(kind, device, recover, read);
}

function openInput(kind: Kind, device: string, recover: boolean, read: boolean): Sufferer {
  const options = { backend, device, recover } as const;
  const source = kind === 'microphone' ? new MicSource(options) : new LoopbackSource(options);
  let error: AudioError | undefined;
  source.on('error', (reason) => (error = reason as AudioError));
  const over = new Promise<void>((resolve) => source.once('close', () => resolve()));
  const told: { frame: number; frames: number }[] = [];
  (source as AudioSource).on('discontinuity', (gap) => told.push(gap));
  const chunks: AudioChunk[] = [];
  const reading = read ? collect(source, chunks) : Promise.resolve();
  return {
    position: () => source.stats().frames,
    error: () => error,
    gone: () => event(source, 'rebuild'),
    recovered: () => event(source, 'recovered'),
    async close() {
      if (!error) await source.close();
      await reading;
      if (read || error) await over;
    },
    judge(fault, known) {
      judgeTimeline(chunks);
      const lost = told.reduce((sum, { frames }) => sum + frames, 0);
      expect(source.stats().lostFrames).toBe(lost);
      if (fault.lost !== undefined) {
        expect(lost).toBeGreaterThanOrEqual(fault.lost);
        expect(lost, JSON.stringify({ told, stats: source.stats() })).toBeLessThanOrEqual(known);
      }
      counts.lostFrames += lost;
      if (fault.format === undefined && chunks.length > 0) {
        const sameFormat = !fault.commands.some((command) => command.startsWith('format'));
        judgeSound(chunks, source.format, told, sameFormat);
      }
    },
  };
}

async function collect(source: MicSource | LoopbackSource, chunks: AudioChunk[]): Promise<void> {
  try {
    for await (const chunk of source.chunks()) chunks.push(chunk);
  } catch {
    // The error that ends it is told by its event.
  }
}

// Contiguous from frame 0 on and heard in order, not in the future: a device's timestamps count as long as they are
// within half a second of the local clock.
function judgeTimeline(chunks: AudioChunk[]): void {
  let frame = 0;
  let time = -1n;
  for (const chunk of chunks) {
    if (chunk.frame !== frame) throw new Error(`frame ${chunk.frame} in the place of ${frame}`);
    if (chunk.time < time) throw new Error(`frame ${frame} was heard before the ones before it`);
    frame += chunk.frames;
    time = chunk.time;
  }
  expect(time).toBeLessThan(process.hrtime.bigint() + 500_000_000n);
}

// The tone is whole but for what was reported as lost. Silence takes the place of each loss; the tone falls to it in the
// first frames of the loss, and rises again behind it. A loss that is shorter than the fall has no
// zeros: there the tone is only wrong for as long.
function judgeSound(
  chunks: AudioChunk[],
  format: MicSource['format'],
  told: { frame: number; frames: number }[],
  sameFormat: boolean,
): void {
  const [samples] = toFloat(Buffer.concat(chunks.map(({ data }) => data)), format);
  const sounds = (sample: number) => sample !== 0;
  const settled = samples.findIndex(sounds) + rate / 20; // it begins with a fade
  const end = samples.findLastIndex(sounds) + 1; // a device that goes falls silent first
  if (settled >= end) return;
  const options = { sampleRate: rate, frequency, minFrames: 1 };
  const gaps = findGaps(samples.subarray(settled, end), options).map(({ kind, frame, frames }) => ({
    kind,
    from: settled + frame,
    to: settled + frame + frames,
  }));
  const losses = told
    .map(({ frame, frames }) => ({ from: frame, to: frame + frames }))
    .filter(({ from, to }) => from < end - fadeFrames && to > settled);
  const seen = JSON.stringify({ settled, end, told, gaps });
  for (const gap of gaps) {
    // The samples of another format are not as exact.
    if (gap.kind === 'glitch' && !sameFormat) continue;
    const within = (loss: { from: number; to: number }) =>
      gap.from >= loss.from - rounding && gap.to <= loss.to + fadeFrames + 2;
    expect(
      told.map(({ frame, frames }) => ({ from: frame, to: frame + frames })).some(within),
      `no loss was reported where the tone is broken: ${seen}`,
    ).toBe(true);
  }
  for (const loss of losses) {
    const filled = (gap: (typeof gaps)[number]) =>
      loss.to - loss.from <= fadeFrames || loss.to > end
        ? gap.from <= loss.to && gap.to >= loss.from
        : gap.kind === 'silence' &&
          Math.abs(gap.from - loss.from) <= rounding &&
          Math.abs(gap.to - loss.to) <= 2;
    expect(gaps.some(filled), `a reported loss is not silent: ${seen}`).toBe(true);
  }
}

function openOutput(device: string, recover: boolean, fed: boolean): Sufferer {
  const sink = new SpeakerSink({ backend, device, recover });
  let error: AudioError | undefined;
  sink.on('error', (reason) => (error = reason as AudioError));
  const over = new Promise<void>((resolve) => sink.once('close', () => resolve()));
  const tone = fed ? new ToneSource({ frequency, gain: 0.25 }) : undefined;
  tone?.on('error', () => {}).pipe(sink);
  return {
    position: () => sink.position,
    error: () => error,
    gone: () => event(sink, 'rebuild'),
    recovered: () => event(sink, 'recovered'),
    async close() {
      tone?.destroy();
      // The queue cannot be played to the end, and close() says so too.
      if (!error) await sink.close().catch((reason: AudioError) => (error ??= reason));
      await over;
    },
    judge() {},
  };
}
