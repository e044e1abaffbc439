// Tracks that end at one instant, and channels of a device that are chosen.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { LoopbackSource, MicSource, ProcessSource, toFloat32 } from 'patchcord';
import { SimulatedAudio, sum, tone } from 'patchcord/testing';

import { openSystem, type System } from './system.js';
import { event } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const framesOf = async (source: MicSource | LoopbackSource): Promise<number> => {
  let frames = 0;
  source.on('data', (chunk) => (frames += chunk.length / 8));
  await event(source, 'close');
  return frames;
};

describe('stopAt()', () => {
  it('ends tracks of one clock at one frame', async () => {
    const startTime = process.hrtime.bigint();
    const options = { backend: system.backend, clock: 'host', startTime } as const;
    const sources = [new MicSource(options), new LoopbackSource(options)];
    const lengths = sources.map(framesOf);
    await Promise.all(sources.map(({ ready }) => ready));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // To come: the stamps of a device may run ahead of the clock by some milliseconds.
    const at = process.hrtime.bigint() + 100_000_000n;
    const ends = sources.map((source) => source.stopAt(at));
    expect(ends[0]).toBe(Math.round(Number(at - startTime) * 48e-6));
    expect(ends[1]).toBe(ends[0]);
    expect(await Promise.all(lengths)).toEqual(ends);
  });

  it.each([0, -5, -20, -45, -80, -1000, 20])(
    'ends all tracks at one frame, %i ms from the present',
    async (ms) => {
      await using audio = new SimulatedAudio({ clock: 'manual' });
      const shared = { backend: audio, clock: 'host', startTime: audio.startTime } as const;
      const sources = [new MicSource(shared), new LoopbackSource(shared), new MicSource(shared)];
      const lengths = sources.map(framesOf);
      await audio.advance(1503);
      const at = audio.now() + BigInt(ms) * 1_000_000n;
      const ends = [sources[0].stopAt(at), sources[1].stopAt(at)];
      await audio.advance(7);
      ends.push(sources[2].stopAt(at));
      await audio.advance(3000);
      expect(new Set(ends).size).toBe(1);
      expect(await Promise.all(lengths)).toEqual(ends);
      // A stop that is late by no more than that.
      expect(ends[0]).toBeLessThan(48 * 1700);
    },
  );

  it('ends a track after a number of frames, or at once if it has more', async () => {
    const source = await MicSource.open({ backend: system.backend });
    const length = framesOf(source);
    source.stopAt(1e9);
    expect(source.stopAt(24_000)).toBe(24_000);
    expect(await length).toBe(24_000);
    const other = await MicSource.open({ backend: system.backend });
    const past = framesOf(other);
    await new Promise((resolve) => setTimeout(resolve, 200));
    other.stopAt(480);
    const frames = await past;
    expect(frames).toBeGreaterThan(480);
    expect(frames).toBe(other.stats().frames);
  });

  it('ends a track before its first frame', async () => {
    const source = new MicSource({ backend: system.backend });
    source.stopAt(0);
    expect(await framesOf(source)).toBe(0);
  });

  it.each([
    ['soon', 'ERR_INVALID_ARG_TYPE'],
    [NaN, 'ERR_OUT_OF_RANGE'],
    [2n ** 70n, 'ERR_OUT_OF_RANGE'],
    [Date.now(), 'ERR_OUT_OF_RANGE'],
    [BigInt(Date.now()) * 1_000_000n, 'ERR_OUT_OF_RANGE'],
  ])('of %s throws', (at, code) => {
    const source = new MicSource({ backend: system.backend });
    expect(() => source.stopAt(at as number)).toThrow(expect.objectContaining({ code }));
    source.destroy();
  });
});

describe('channelMap of a source', () => {
  const heard = async (channelMap: number[] | number[][]) => {
    await using audio = new SimulatedAudio({
      clock: 'manual',
      devices: [
        {
          id: 'four',
          flow: 'input',
          format: { sampleRate: 48000, channels: 4, sampleFormat: 'f32' },
        },
      ],
    });
    const levels = [0.1, 0.2, 0.3, 0.4];
    const parts = levels.map((gain, channel) => tone(1000, { gain, channel }));
    audio.device('four').play(sum(...parts));
    const mic = new MicSource({ backend: audio, channelMap, durationMs: 500 });
    const chunks: Buffer[] = [];
    mic.on('data', (chunk) => chunks.push(chunk));
    await audio.advance(1500);
    const samples = toFloat32(Buffer.concat(chunks), mic.format);
    const { channels } = mic.format;
    return Array.from({ length: channels }, (_, channel) =>
      Math.max(...samples.filter((_sample, k) => k % channels === channel)),
    ).map((peak) => Math.round(peak * 1000) / 1000);
  };

  it.each([
    [
      [2, 3],
      [0.3, 0.4],
    ],
    [[3], [0.4]],
    [
      [0, 1, 2, 3],
      [0.1, 0.2, 0.3, 0.4],
    ],
    [
      [3, -1, 0],
      [0.4, 0, 0.1],
    ],
    [[[0, 0, 1, 1]], [0.7]],
  ])('%j of a device with four', async (channelMap, peaks) => {
    expect(await heard(channelMap)).toEqual(peaks);
  });

  it('is checked, and is not of a ProcessSource', () => {
    const { backend } = system;
    const code = 'ERR_INVALID_ARG_VALUE';
    expect(() => new MicSource({ backend, channels: 2, channelMap: [0] })).toThrow(
      expect.objectContaining({ code }),
    );
    expect(() => new ProcessSource({ backend, process: 5, channelMap: [0] })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
