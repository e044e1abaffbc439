// Whole buffers at once: the same bytes as the Resampler's, the exact length, every sample format.
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import {
  convert,
  fromFloat32,
  Resampler,
  toFloat32,
  type AudioFormat,
  type ConvertOptions,
} from 'patchcord';

import { bytesPerFrame, encodeSamples, sampleFormats } from '../../lib/format/format.js';
import { measureTone, seededRandom, toFloat } from '../instruments/index.js';

const withCode = (code: string): Error => expect.objectContaining({ code }) as Error;
const stereo: AudioFormat = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };

async function streamed({ from, to, ...options }: ConvertOptions, bytes: Buffer): Promise<Buffer> {
  const resampler = new Resampler({ from, ...to, ...options });
  const chunks: Buffer[] = [];
  resampler.on('data', (chunk: Buffer) => chunks.push(chunk));
  resampler.end(bytes);
  await once(resampler, 'end');
  return Buffer.concat(chunks);
}

describe('convert()', () => {
  it('gives the bytes of the Resampler stream and the exact length, in all formats', async () => {
    const random = seededRandom(7);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
    const rates = [8000, 11025, 16000, 44100, 48000, 96000, 384000];
    for (const sampleFormat of sampleFormats) {
      for (const toFormat of sampleFormats) {
        const from = { sampleRate: pick(rates), channels: pick([1, 2, 6]), sampleFormat };
        const channels = pick([1, 2, 3]);
        const options: ConvertOptions = {
          from,
          to: { sampleRate: pick(rates), channels, sampleFormat: toFormat },
          quality: pick(['low', 'medium', 'high', 'best'] as const),
          dither: random() < 0.5,
          ...(random() < 0.5 ? { channelMap: Array.from({ length: channels }, () => 0) } : {}),
        };
        for (const frames of [0, 1, 1 + Math.floor(random() * 5000)]) {
          const samples = Float32Array.from(
            { length: frames * from.channels },
            () => 1.8 * random() - 0.9,
          );
          const bytes = encodeSamples(samples, sampleFormat);
          const what = JSON.stringify({ ...options, frames });
          const made = convert(bytes, options);
          const length = Math.round((frames * (options.to.sampleRate ?? 0)) / from.sampleRate);
          expect(made.length, what).toBe(length * bytesPerFrame(options.to as AudioFormat));
          if (frames > 0) expect(made.equals(await streamed(options, bytes)), what).toBe(true);
        }
      }
    }
  });

  it('keeps fields that are not set, and copies', () => {
    const bytes = encodeSamples([0.25, -0.5, 0.75, 1], 'f32');
    const made = convert(bytes, { from: stereo, to: {} });
    expect(made.equals(bytes)).toBe(true);
    made.fill(0);
    expect(toFloat32(bytes, stereo)[0]).toBe(0.25);
    const mono = convert(bytes, { from: stereo, to: {}, channelMap: [1] });
    expect([...toFloat32(mono, stereo)]).toEqual([-0.5, 1]);
  });

  it('folds a loud 7.1 into integers without clipping if it is asked to', async () => {
    const from: AudioFormat = { sampleRate: 48000, channels: 8, sampleFormat: 'f32' };
    const to = { channels: 2, sampleFormat: 's16' } as const;
    const loud = fromFloat32(new Float32Array(8).fill(0.9), from);
    const samples = (bytes: Buffer) => [bytes.readInt16LE(0), bytes.readInt16LE(2)];
    expect(samples(convert(loud, { from, to }))).toEqual([32767, 32767]);
    const quiet = { from, to, channelMap: 'attenuated' } as const;
    const level = Math.round(0.9 * 32768);
    expect(samples(convert(loud, quiet))).toEqual([level, level]);
    expect(samples(await streamed(quiet, loud))).toEqual([level, level]);
    // Only the front left, at the same ratio to the others as usual.
    const one = fromFloat32(Float32Array.of(0.9, 0, 0, 0, 0, 0, 0, 0), from);
    expect(samples(convert(one, quiet))).toEqual([
      Math.round((0.9 * 32768) / (1 + 3 * Math.SQRT1_2)),
      0,
    ]);
    // The speakers of a mask: here the second channel is the centre.
    const masked = { ...from, channels: 2, channelMask: 0x5 };
    const both = fromFloat32(Float32Array.of(0.9, 0.9), { ...from, channels: 2 });
    const mono = convert(both, { ...quiet, from: masked, to: { ...to, channels: 1 } });
    expect(mono.readInt16LE(0)).toBe(level);
  });

  it('reads bytes from any position in a larger buffer', () => {
    const bytes = encodeSamples([0.5, -0.25], 's16');
    const shifted = new Uint8Array(9);
    shifted.set(bytes, 3);
    const from: AudioFormat = { sampleRate: 16000, channels: 1, sampleFormat: 's16' };
    const made = convert(shifted.subarray(3, 7), { from, to: { sampleFormat: 'f32' } });
    expect([...toFloat32(made, { sampleFormat: 'f32' })]).toEqual([0.5, -0.25]);
  });

  it('keeps a tone of 1 kHz clean to 140 dB', () => {
    const samples = Float32Array.from(
      { length: 96000 },
      (_, i) => 0.891 * Math.sin((2 * Math.PI * 1000 * (i >> 1)) / 48000),
    );
    const bytes = fromFloat32(samples, stereo);
    const made = convert(bytes, { from: stereo, to: { sampleRate: 44100 } });
    const [left] = toFloat(made, { ...stereo, sampleRate: 44100 });
    expect(measureTone(left.subarray(8000, 36000), 44100, 1000).snrDb).toBeGreaterThan(140);
  });

  it('rejects invalid arguments, and names them', () => {
    const bytes = Buffer.alloc(8);
    const bad =
      (options: object): (() => void) =>
      () =>
        convert(bytes, { from: stereo, to: {}, ...options });
    expect(() => convert('abc' as never, { from: stereo, to: {} })).toThrow(/"buffer" argument/);
    expect(() => convert(bytes, undefined as never)).toThrow(/"options" argument/);
    expect(bad({ from: undefined })).toThrow(/options\.from/);
    expect(bad({ to: undefined })).toThrow(/options\.to/);
    expect(bad({ to: { rate: 1 } })).toThrow(/options\.to\.rate/);
    expect(bad({ to: { sampleRate: 1 } })).toThrow(withCode('ERR_OUT_OF_RANGE'));
    expect(bad({ quality: 'good' })).toThrow(withCode('ERR_INVALID_ARG_VALUE'));
    expect(bad({ dither: 1 })).toThrow(withCode('ERR_INVALID_ARG_TYPE'));
    expect(bad({ channelMap: [0], to: { channels: 2 } })).toThrow(/options\.channelMap/);
    expect(bad({ channelMap: 'left' })).toThrow(withCode('ERR_INVALID_ARG_TYPE'));
    expect(bad({ channelMap: ['attenuated'] })).toThrow(withCode('ERR_INVALID_ARG_TYPE'));
    expect(bad({ sampleRate: 44100 })).toThrow(/not an option of convert\(\)/);
    expect(() => convert(Buffer.alloc(7), { from: stereo, to: {} })).toThrow(
      withCode('ERR_AUDIO_PARTIAL_FRAME'),
    );
  });
});

describe('toFloat32() and fromFloat32()', () => {
  it.each(sampleFormats)('convert %s and back', (sampleFormat) => {
    const values = Float32Array.of(-1, -0.5, 0, 0.25, 0.5, 1 - 2 ** -15);
    const bytes = fromFloat32(values, { sampleFormat });
    expect(bytes.equals(encodeSamples(values, sampleFormat))).toBe(true);
    expect([...toFloat32(bytes, { sampleFormat })]).toEqual([...values]);
  });

  it('round, clip and return their own memory', () => {
    const values = Float32Array.of(2, -2, NaN, 1.5 / 32768, 2.5 / 32768);
    const bytes = fromFloat32(values, { sampleFormat: 's16' });
    expect([...new Int16Array(new Uint8Array(bytes).buffer)]).toEqual([32767, -32768, 0, 2, 2]);
    const made = toFloat32(fromFloat32(values.subarray(3), stereo), stereo);
    expect(made.buffer.byteLength).toBe(8);
    expect([...made]).toEqual([...values.subarray(3)]);
  });

  it('reject parts of samples and frames, and invalid formats', () => {
    const partial = withCode('ERR_AUDIO_PARTIAL_FRAME');
    expect(() => toFloat32(Buffer.alloc(5), { sampleFormat: 's24' })).toThrow(partial);
    expect(() => toFloat32(Buffer.alloc(4), stereo)).toThrow(partial);
    expect(() => fromFloat32(new Float32Array(3), stereo)).toThrow(partial);
    expect(() => toFloat32([1] as never, stereo)).toThrow(/"buffer" argument/);
    expect(() => fromFloat32(new Float64Array(2) as never, stereo)).toThrow(/Float32Array/);
    expect(() => toFloat32(Buffer.alloc(4), {} as never)).toThrow(/format\.sampleFormat/);
    expect(() => toFloat32(Buffer.alloc(4), undefined as never)).toThrow(/"format" argument/);
    expect(() => fromFloat32(new Float32Array(2), { sampleFormat: 'u8' } as never)).toThrow(
      withCode('ERR_INVALID_ARG_VALUE'),
    );
  });
});
