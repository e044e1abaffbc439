// The Resampler as a stream: exact length, the same bytes however they come, whatever the formats.
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import { Resampler, type AudioFormat, type ResamplerOptions, type SampleFormat } from 'patchcord';

import { bytesPerFrame, encodeSamples, sampleFormats } from '../../lib/format/format.js';
import { measureTone, randomPortions, seededRandom, toFloat } from '../instruments/index.js';

const qualities = ['low', 'medium', 'high', 'best'] as const;

async function resampled(options: ResamplerOptions, portions: Buffer[]): Promise<Buffer[]> {
  const resampler = new Resampler(options);
  const chunks: Buffer[] = [];
  resampler.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = once(resampler, 'end');
  for (const portion of portions) {
    if (!resampler.write(portion)) await once(resampler, 'drain');
  }
  resampler.end();
  await end;
  return chunks;
}

function noise(frames: number, channels: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: frames * channels }, () => 1.8 * random() - 0.9);
}

const rates = [8000, 11025, 16000, 22050, 44100, 48000, 88200, 96000, 192000, 384000];

describe('a Resampler', () => {
  for (const quality of qualities) {
    it(`of quality ${quality} has the exact length and the same bytes however they are cut, in all formats`, async () => {
      const random = seededRandom(qualities.indexOf(quality) + 1);
      const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
      for (const sampleFormat of sampleFormats) {
        for (const to of sampleFormats) {
          const from: AudioFormat = {
            sampleRate: pick(rates),
            channels: pick([1, 2, 6]),
            sampleFormat,
          };
          const options: ResamplerOptions = {
            from,
            quality,
            sampleRate: pick(rates),
            channels: pick([1, 2, 3]),
            sampleFormat: to,
            dither: random() < 0.5,
            ...(random() < 0.3 ? { chunkFrames: 100 } : {}),
          };
          const frames = 1 + Math.floor(random() * 3000);
          const bytes = encodeSamples(noise(frames, from.channels, frames), sampleFormat);
          const expected = Buffer.concat(await resampled(options, [bytes]));
          const length = Math.round((frames * (options.sampleRate ?? 0)) / from.sampleRate);
          const size = bytesPerFrame(options as AudioFormat);
          const what = JSON.stringify({ ...options, frames });
          expect(expected.length, what).toBe(length * size);
          const chunks = await resampled(options, randomPortions(bytes, random));
          expect(Buffer.concat(chunks).equals(expected), what).toBe(true);
          if (options.chunkFrames) {
            expect(chunks.slice(0, -1).every((chunk) => chunk.length === 100 * size)).toBe(true);
          }
        }
      }
    });
  }

  it('accepts one frame at a time, one byte at a time, and no bytes', async () => {
    const from: AudioFormat = { sampleRate: 44100, channels: 2, sampleFormat: 's24' };
    const options = { from, sampleRate: 48000 };
    const bytes = encodeSamples(noise(500, 2, 3), 's24');
    const expected = Buffer.concat(await resampled(options, [bytes]));
    expect(expected.length).toBe(544 * 6);
    for (const size of [1, 5, 6]) {
      const cuts = Math.ceil(bytes.length / size);
      const portions = Array.from({ length: cuts }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const empty = portions.flatMap((portion) => [Buffer.alloc(0), portion]);
      expect(Buffer.concat(await resampled(options, empty)).equals(expected)).toBe(true);
    }
    expect(await resampled(options, [])).toEqual([]);
    expect(await resampled(options, [Buffer.alloc(0)])).toEqual([]);
    const [one] = await resampled(options, [bytes.subarray(0, 6)]);
    expect(one.length).toBe(6);
  });

  it('passes equal formats bit for bit, dithered or not', async () => {
    for (const sampleFormat of sampleFormats) {
      const from: AudioFormat = { sampleRate: 48000, channels: 3, sampleFormat };
      const bytes = encodeSamples(noise(1000, 3, 4), sampleFormat);
      for (const dither of [false, true]) {
        expect(Buffer.concat(await resampled({ from, dither }, [bytes])).equals(bytes)).toBe(true);
      }
    }
  });

  it('accepts rates from 8000 to 384000 Hz, and no others', async () => {
    for (const [sampleRate, to] of [
      [8000, 384000],
      [384000, 8000],
    ]) {
      const frequency = 997;
      const sine = Float32Array.from({ length: sampleRate }, (_, i) =>
        Math.fround(0.5 * Math.sin((2 * Math.PI * frequency * i) / sampleRate)),
      );
      const from: AudioFormat = { sampleRate, channels: 1, sampleFormat: 'f32' };
      const bytes = await resampled({ from, sampleRate: to }, [encodeSamples(sine, 'f32')]);
      const [sound] = toFloat(Buffer.concat(bytes), { ...from, sampleRate: to });
      expect(sound.length).toBe(to);
      const tone = measureTone(sound.subarray(to / 4, (3 * to) / 4), to, frequency);
      expect(tone.frequency).toBeCloseTo(frequency, 2);
      expect(tone.peakDb).toBeCloseTo(-6.02, 2);
    }
    for (const sampleRate of [7999, 384001]) {
      const from = { sampleRate, channels: 1, sampleFormat: 'f32' } as const;
      for (const options of [{ sampleRate }, { from }]) {
        expect(() => new Resampler(options)).toThrow(/>= 8000 && <= 384000/);
      }
    }
  });

  it('turns NaN, infinities and denormals into silence, and nothing else', async () => {
    const clean = noise(4000, 2, 5);
    const spoilt = Float32Array.from(clean);
    const bad = [NaN, Infinity, -Infinity, 1e-40, -1e-42];
    for (let i = 0; i < 900; i++) {
      const at = (i * 7919) % clean.length;
      clean[at] = 0;
      spoilt[at] = bad[i % bad.length];
    }
    const raw = (values: Float32Array): Buffer => Buffer.from(values.buffer);
    const from = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    for (const options of [
      { from, sampleRate: 44100 },
      { from, sampleRate: 16000, channels: 1 },
      { from, sampleFormat: 's16' as SampleFormat },
      { from, channels: 1, sampleFormat: 's24' as SampleFormat },
    ]) {
      const expected = Buffer.concat(await resampled(options, [raw(clean)]));
      const bytes = Buffer.concat(await resampled(options, [raw(spoilt)]));
      expect(bytes.equals(expected), JSON.stringify(options)).toBe(true);
    }
    // Where nothing is computed what is small stays as small as it is.
    const [left] = toFloat(Buffer.concat(await resampled({ from }, [raw(spoilt)])), from);
    expect(left.every((sample) => Number.isFinite(sample))).toBe(true);
    expect(left.some((sample) => sample !== 0 && Math.abs(sample) < 1e-39)).toBe(true);
  });

  it('maps channels by list and by matrix', async () => {
    const from = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    const frame = encodeSamples([0.25, 0.5], 'f32');
    const one = async (options: ResamplerOptions): Promise<number[]> => {
      const bytes = Buffer.concat(await resampled({ from, ...options }, [frame]));
      return toFloat(bytes, { ...from, channels: bytes.length / 4 }).map(([sample]) => sample);
    };
    expect(await one({ channelMap: [1, 0] })).toEqual([0.5, 0.25]);
    // As many channels come out as the map has entries.
    expect(await one({ channelMap: [1, -1, 0] })).toEqual([0.5, 0, 0.25]);
    expect(await one({ channelMap: [[0.5, 2]] })).toEqual([1.125]);
    expect(await one({ channels: 2, channelMap: [[1], [1, 1]] })).toEqual([0.25, 0.75]);
  });

  it.each([
    [{ channels: 1, channelMap: [0, 1] }, 'ERR_INVALID_ARG_VALUE'],
    [{ channelMap: [] }, 'ERR_OUT_OF_RANGE'],
    [{ channelMap: Array<number>(33).fill(0) }, 'ERR_OUT_OF_RANGE'],
    [{ channelMap: [0, '1'] }, 'ERR_INVALID_ARG_TYPE'],
    [{ channelMap: [0, [1]] }, 'ERR_INVALID_ARG_TYPE'],
    [{ channelMap: [[0], 1] }, 'ERR_INVALID_ARG_TYPE'],
    [{ channelMap: [[Infinity]] }, 'ERR_OUT_OF_RANGE'],
    [{ channelMap: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ dither: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ chunkFrames: 0 }, 'ERR_OUT_OF_RANGE'],
  ])('refuses %j with %s', (options, code) => {
    expect(() => new Resampler(options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('dithers to s16: a tone below half a bit comes through, the mean stays', async () => {
    const from = { sampleRate: 96000, channels: 1, sampleFormat: 'f32' } as const;
    const quiet = Float32Array.from({ length: 192_000 }, (_, i) =>
      Math.fround(1e-5 * Math.sin((2 * Math.PI * 997 * i) / 96000)),
    );
    const converted = async (dither: boolean): Promise<Float32Array> => {
      const options = { from, sampleRate: 48000, sampleFormat: 's16', dither } as const;
      const bytes = Buffer.concat(await resampled(options, [encodeSamples(quiet, 'f32')]));
      return toFloat(bytes, { ...options, channels: 1 })[0];
    };
    expect((await converted(false)).every((sample) => sample === 0)).toBe(true);
    const heard = await converted(true);
    expect(measureTone(heard, 48000, 997).peakDb).toBeCloseTo(-100, 0);
    const mean = heard.reduce((sum, sample) => sum + sample) / heard.length;
    expect(Math.abs(mean * 32768)).toBeLessThan(0.01);
  });
});
