// Audio that comes late: a recording waits for it, a device that plays it does not. On the simulated system
// with a manual clock.
import { beforeEach, describe, expect, it } from 'vitest';

import {
  Gain,
  LoopbackSource,
  Mixer,
  ProcessSource,
  VirtualMicSink,
  type AudioChunk,
  type AudioReadable,
  type Discontinuity,
} from 'patchcord';
import { SimulatedAudio, tone, type SimulatedProcess } from 'patchcord/testing';

const seconds = 18;
const stalls = 7;

let audio: SimulatedAudio;
let player: SimulatedProcess;
beforeEach(() => {
  audio = new SimulatedAudio({ clock: 'manual' });
  player = audio.addProcess({ name: 'player.exe' }).play(tone(443), { device: 'speakers' });
});

/** Frames in runs of zeros that no tone has. */
function silentFrames(chunks: readonly Buffer[], from: number): number {
  const all = Buffer.concat([...chunks]);
  const samples = new Float32Array(all.buffer, all.byteOffset, all.length / 4);
  let silent = 0;
  let run = 0;
  for (let i = from * 2; i < samples.length; i += 2) {
    run = samples[i] === 0 ? run + 1 : 0;
    if (run === 8) silent += 8;
    else if (run > 8) silent++;
  }
  return silent;
}

/** In steps that no reader is too slow for. */
async function run(ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 500) await audio.advance(Math.min(500, ms - done));
}

async function stallSeven(ms: number): Promise<void> {
  await run(2000);
  for (let i = 0; i < stalls; i++) {
    audio.device('speakers').delay(ms);
    player.delay(ms);
    await run(2000);
  }
  await run(seconds * 1000 - (stalls + 1) * 2000);
}

describe('audio that is late', () => {
  it.each([45, 80])('is at its position in every recording if it is %d ms late', async (ms) => {
    const loopback = new LoopbackSource({ backend: audio });
    const program = new ProcessSource({ process: player.pid, backend: audio });
    const mixed = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    mixed.pipe(mixer.createInput());
    const recordings = [loopback, program, mixer].map((stream: AudioReadable) => {
      const chunks: Buffer[] = [];
      const told: Discontinuity[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('discontinuity', (event) => told.push(event));
      return { stream, chunks, told };
    });
    await Promise.all([loopback.ready, program.ready, mixed.ready]);
    await stallSeven(ms);
    for (const { stream, chunks, told } of recordings) {
      expect(silentFrames(chunks, 4800)).toBe(0);
      expect(told).toEqual([]);
      expect(stream.stats()).toMatchObject({ lostFrames: 0 });
      const frames = chunks.reduce((sum, chunk) => sum + chunk.length / 8, 0);
      expect(frames).toBeGreaterThan((seconds - 0.1) * 48_000);
    }
    for (const one of [loopback, program, mixed, mixer]) one.destroy();
  });

  it('is lost only for a device that plays it', async () => {
    const loopback = new LoopbackSource({ backend: audio });
    const sink = new VirtualMicSink({ backend: audio, device: 'cable-input' });
    const chunks: Buffer[] = [];
    loopback.on('data', (chunk: Buffer) => chunks.push(chunk));
    loopback.pipe(sink);
    await Promise.all([loopback.ready, sink.ready]);
    await stallSeven(80);
    expect(silentFrames(chunks, 4800)).toBe(0);
    expect(loopback.stats().lostFrames).toBe(0);
    expect(sink.stats().starvedFrames).toBeGreaterThan(0);
    for (const one of [loopback, sink]) one.destroy();
  });

  it('is a discontinuity of a mix that a device plays', async () => {
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    const sink = new VirtualMicSink({ backend: audio, device: 'cable-input' });
    const told: Discontinuity[] = [];
    mixer.on('discontinuity', (event) => told.push(event));
    loopback.pipe(mixer.createInput());
    mixer.pipe(sink);
    mixer.resume();
    await Promise.all([loopback.ready, sink.ready]);
    await stallSeven(80);
    expect(told.length).toBeGreaterThan(0);
    expect(told.every(({ reason, filled }) => reason === 'late' && filled)).toBe(true);
    for (let i = 1; i < told.length; i++) {
      expect(told[i].frame).toBeGreaterThan(told[i - 1].frame + told[i - 1].frames);
    }
    const lost = told.reduce((sum, { frames }) => sum + frames, 0);
    expect(lost).toBe(mixer.stats().lostFrames);
    for (const one of [loopback, mixer, sink]) one.destroy();
  });

  it('is lost after maxWaitMs, and counted in disjoint events', async () => {
    const loopback = new LoopbackSource({ backend: audio, maxWaitMs: 50 });
    const told: Discontinuity[] = [];
    const chunks: AudioChunk[] = [];
    loopback.on('discontinuity', (event) => told.push(event));
    const loop = (async () => {
      for await (const chunk of loopback.chunks()) chunks.push(chunk);
    })();
    await loopback.ready;
    await stallSeven(200);
    expect(told).toHaveLength(stalls);
    for (let i = 1; i < told.length; i++) {
      expect(told[i].frame).toBeGreaterThan(told[i - 1].frame + told[i - 1].frames);
      expect(chunks[i].time).toBeGreaterThanOrEqual(chunks[i - 1].time);
    }
    const { lostFrames, trimmedFrames } = loopback.stats();
    expect(told.reduce((sum, { frames }) => sum + frames, 0)).toBe(lostFrames);
    expect(lostFrames).toBe(trimmedFrames);
    loopback.destroy();
    await expect(loop).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  it('is counted in disjoint events if a transform is read too slowly', async () => {
    const loopback = new LoopbackSource({ backend: audio });
    const gain = loopback.pipe(new Gain({ gain: 0.5, bufferMs: 200 }));
    const told: Discontinuity[] = [];
    gain.on('discontinuity', (event) => told.push(event));
    const reader = gain.chunks();
    await loopback.ready;
    const read = async (chunks: number): Promise<void> => {
      for (let i = 0; i < chunks; i++) await reader.next();
    };
    for (let i = 0; i < 3; i++) {
      await run(1000);
      await read(20);
      // Lost frames become readable when more is pushed.
      await run(50);
      await read(75);
    }
    expect(told).toHaveLength(2);
    for (let i = 1; i < told.length; i++) {
      expect(told[i].frame).toBeGreaterThan(told[i - 1].frame + told[i - 1].frames);
    }
    expect(told.every(({ reason, filled }) => reason === 'overrun' && filled)).toBe(true);
    expect(told.reduce((sum, { frames }) => sum + frames, 0)).toBe(gain.stats().readerLostFrames);
    await reader.return?.();
    for (const one of [loopback, gain]) one.destroy();
  });

  it('does not stall a mix whose loopback is idle', async () => {
    player.stop({ device: 'speakers' });
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    loopback.pipe(mixer.createInput());
    mixer.resume();
    await loopback.ready;
    const before = audio.now();
    await run(5000);
    const behind = Number(audio.now() - mixer.timeAt(mixer.position)) / 1e6;
    expect(audio.now()).toBe(before + 5_000_000_000n);
    expect(behind).toBeLessThan(600);
    expect(mixer.stats().lostFrames).toBe(0);
    for (const one of [loopback, mixer]) one.destroy();
  });
});
