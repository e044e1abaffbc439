import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { describe, expect, it, vi } from 'vitest';

import {
  bytesPerFrame,
  defaultFormat,
  sampleFormats,
  withFormat,
  type AudioFormat,
} from '../../lib/format/format.js';
import { wavHeader } from '../../lib/format/wav-header.js';
import { ToneSource } from '../../lib/sources/tone-source.js';
import { WavEncoder } from '../../lib/transforms/wav-encoder.js';
import { randomPortions, seededRandom } from '../instruments/random.js';
import { stereo, randomBytes, read } from '../instruments/wav-bytes.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

describe('wavHeader', () => {
  it('is the plain one for formats that old programs can read', () => {
    const header = wavHeader(stereo, 400);
    expect(header.toString('latin1', 0, 4)).toBe('RIFF');
    expect(header.toString('latin1', 8, 16)).toBe('WAVEJUNK');
    expect(header.readUInt32LE(4)).toBe(header.length - 8 + 400);
    expect(header.toString('hex', 48, 72)).toBe('666d7420100000000100020080bb000000ee020004001000');
    expect(header.toString('latin1', 72, 76)).toBe('data');
    expect(header).toHaveLength(80);
  });

  it('counts the padding of an odd length in the file, not in the chunk', () => {
    const header = wavHeader({ sampleRate: 8000, channels: 1, sampleFormat: 's24' }, 9);
    expect(header.readUInt32LE(header.length - 4)).toBe(9);
    expect(header.readUInt32LE(4)).toBe(header.length - 8 + 10);
  });

  it('becomes RF64 exactly where 32 bits end', () => {
    const mono: AudioFormat = { sampleRate: 8000, channels: 1, sampleFormat: 's16' };
    const most = 0xffffffff - (80 - 8) - 1;
    expect(wavHeader(mono, most).toString('latin1', 0, 4)).toBe('RIFF');
    const large = wavHeader(mono, most + 2);
    expect(large.toString('latin1', 0, 4)).toBe('RF64');
    expect(large.toString('latin1', 12, 16)).toBe('ds64');
    expect(large.readUInt32LE(4)).toBe(0xffffffff);
    expect(large.readBigUInt64LE(20)).toBe(BigInt(80 - 8 + most + 2));
    expect(large.readBigUInt64LE(28)).toBe(BigInt(most + 2));
    expect(large.readBigUInt64LE(36)).toBe(BigInt(most + 2) / 2n);
  });
});

describe('WavEncoder', () => {
  it.each(sampleFormats)(
    'gives a file of %s that can be read from a pipe',
    async (sampleFormat) => {
      const format = { sampleRate: 44100, channels: 3, sampleFormat };
      const audio = randomBytes(bytesPerFrame(format) * 501, 51);
      const encoder = new WavEncoder({ format });
      const bytes = Readable.from(randomPortions(audio, seededRandom(52))).pipe(encoder);
      const file = Buffer.concat((await bytes.toArray()) as Buffer[]);
      const result = await read([file]);
      expect(result.format).toEqual(format);
      expect(result.audio.subarray(0, audio.length)).toEqual(audio);
      expect(result.stats.framesRead).toBe(501);
      expect(result.warnings).toEqual(['LENGTH_UNKNOWN']);
    },
  );

  it('writes the exact length with options.frames', async () => {
    const encoder = new WavEncoder({ frames: 480 });
    const bytes = new ToneSource({ durationMs: 10, sampleFormat: 's24', channels: 1 }).pipe(
      encoder,
    );
    const file = Buffer.concat((await bytes.toArray()) as Buffer[]);
    expect(file.readUInt32LE(4)).toBe(file.length - 8);
    const { stats, warnings } = await read([file]);
    expect(stats.declaredFrames).toBe(480);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['fewer frames than it was told', 100, 99 * 4, 'ERR_OUT_OF_RANGE'],
    ['more frames than it was told', 100, 101 * 4, 'ERR_OUT_OF_RANGE'],
    ['a part of a frame', undefined, 4 * 100 + 3, 'ERR_AUDIO_PARTIAL_FRAME'],
  ])('fails after %s', async (_, frames, bytes, code) => {
    const encoder = new WavEncoder({ format: stereo, ...(frames && { frames }) });
    await expect(
      pipeline([Buffer.alloc(bytes)], encoder, new PassThrough().resume()),
    ).rejects.toMatchObject({ code });
  });

  it('fails on bytes of unknown format and on wrong options', async () => {
    await expect(
      pipeline([Buffer.alloc(4)], new WavEncoder(), new PassThrough().resume()),
    ).rejects.toMatchObject({ code: 'ERR_AUDIO_FORMAT_UNKNOWN' });
    const outOfRange = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }) as Error;
    expect(() => new WavEncoder({ frames: -1 })).toThrow(outOfRange);
    expect(() => new WavEncoder({ frame: 5 } as object)).toThrow(/did you mean 'frames'/);
  });

  it('writes a header without a frame, in the format of the piped stream', async () => {
    const headerOf = async (encoder: WavEncoder): Promise<Buffer> =>
      Buffer.concat((await encoder.toArray()) as Buffer[]);
    const encoder = new WavEncoder({ frames: 0 });
    encoder.write(Buffer.alloc(0));
    encoder.end(Buffer.alloc(0));
    expect(await headerOf(encoder)).toEqual(wavHeader(defaultFormat, 0));
    const piped = new WavEncoder();
    const [header] = await Promise.all([
      headerOf(piped),
      pipeline(withFormat(Readable.from([]), stereo), piped),
    ]);
    expect(header).toEqual(wavHeader(stereo));
  });
});
