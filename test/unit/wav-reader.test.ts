import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { bytesPerFrame } from '../../lib/format/format.js';
import { wavHeader } from '../../lib/format/wav-header.js';
import { WavParser } from '../../lib/transforms/wav-parser.js';
import { WavReader } from '../../lib/transforms/wav-reader.js';
import { randomPortions, seededRandom } from '../instruments/random.js';
import {
  stereo,
  randomBytes,
  chunk,
  fmt,
  riff,
  warningsOf,
  read,
  failure,
} from '../instruments/wav-bytes.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord wav #'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('WavReader', () => {
  it.each([
    ['8-bit PCM as s16', fmt(1, 1, 8), '00 80 ff', 's16', '0080 0000 007f'],
    ['16-bit PCM', fmt(1, 1, 16), '0100 ff7f', 's16', '0100 ff7f'],
    ['20 bits in three bytes', fmt(1, 1, 20, 3), '100000 f0ff7f', 's24', '100000 f0ff7f'],
    ['24-bit PCM', fmt(1, 2, 24), '010203 040506', 's24', '010203 040506'],
    ['24 bits in four bytes', fmt(1, 1, 24, 4), '00010203', 's32', '00010203'],
    ['32-bit PCM', fmt(1, 1, 32), '01020304', 's32', '01020304'],
    ['floats', fmt(3, 1, 32), '0000803f', 'f32', '0000803f'],
    ['doubles as f32', fmt(3, 1, 64), '000000000000e0bf', 'f32', '000000bf'],
  ])('reads %s', async (_, header, samples, sampleFormat, expected) => {
    const bytes = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
    const file = riff([header, chunk('data', bytes(samples))]);
    const { format, audio } = await read([file]);
    expect(format).toMatchObject({ sampleRate: 44100, sampleFormat });
    expect(audio).toEqual(bytes(expected));
  });

  it('has its format when the header has arrived', async () => {
    const reader = new WavReader();
    const announced = once(reader, 'format');
    expect(() => reader.format).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_FORMAT_UNKNOWN' }),
    );
    reader.write(wavHeader(stereo, 4));
    expect(await reader.ready).toBe(reader);
    expect(reader.format).toEqual(stereo);
    expect(await announced).toEqual([stereo]);
    await reader.close();
  });

  it('skips other chunks, with their padding, before and behind the audio', async () => {
    const audio = randomBytes(4000, 1);
    const list = chunk('LIST', Buffer.from('INFOxyz'));
    const file = riff([list, fmt(1, 2, 16), list, chunk('data', audio), list]);
    for (let seed = 0; seed < 20; seed++) {
      const result = await read(randomPortions(file, seededRandom(seed)));
      expect(result.audio).toEqual(audio);
    }
    expect((await read(Array.from(file, (byte) => Buffer.of(byte)))).audio).toEqual(audio);
  });

  it.each([
    ['zero', 0, 0],
    ['zero with a complete RIFF size', 0, 36],
    ['all ones', 0xffffffff, 0xffffffff],
  ])('reads to the end when the data size is %s', async (_, dataSize, size) => {
    const audio = randomBytes(1000, 2);
    const file = riff([fmt(1, 2, 16), chunk('data', audio, dataSize)], { size });
    const { audio: got, stats } = await read([file]);
    expect(got).toEqual(audio);
    expect(stats).toEqual({ framesRead: 250, declaredFrames: undefined, partialFrameBytes: 0 });
  });

  it('believes a data size of zero when more chunks are announced behind it', async () => {
    const file = riff([
      fmt(1, 2, 16),
      chunk('data', Buffer.alloc(0)),
      chunk('LIST', randomBytes(8, 3)),
    ]);
    const { audio, stats } = await read([file]);
    expect(audio).toHaveLength(0);
    expect(stats.declaredFrames).toBe(0);
  });

  it('reads sizes beyond 32 bits from ds64', async () => {
    const header = wavHeader(stereo, 5 * 2 ** 30);
    expect(header.toString('latin1', 0, 4)).toBe('RF64');
    const { audio, stats } = await read([header, randomBytes(400, 4)]);
    expect(audio).toHaveLength(400);
    expect(stats.declaredFrames).toBe((5 * 2 ** 30) / 4);
  });

  it('delivers the whole frames of a truncated file', async () => {
    const file = riff([fmt(1, 2, 16), chunk('data', randomBytes(1000, 5))]);
    const { audio, stats } = await read([file.subarray(0, 44 + 403)]);
    expect(audio).toEqual(randomBytes(1000, 5).subarray(0, 400));
    expect(stats).toEqual({ framesRead: 100, declaredFrames: 250, partialFrameBytes: 3 });
  });

  // No program can make a WAV file of these.
  const unconvertible = new Set([
    ...['nothing', 'rubbish', 'five bytes', 'no fmt', 'no data', 'a short fmt', 'no channels'],
    'a short ds64',
  ]);

  it.each([
    ['nothing', Buffer.alloc(0), /is empty/],
    ['an MP3', Buffer.from('ID3\x04\0\0\0\0\0\0\0\0\0'), /is an MP3 file, not a WAV file/],
    ['an AIFF', Buffer.from('FORM\0\0\0\0AIFFCOMM'), /is an AIFF file/],
    ['a FLAC', Buffer.from('fLaC\0\0\0\x22\0\0\0\0'), /is a FLAC file/],
    ['an Ogg', Buffer.from('OggS\0\x02\0\0\0\0\0\0'), /is an Ogg file/],
    ['an MP4', Buffer.from('\0\0\0\x20ftypM4A '), /is an MP4 file/],
    ['a WebM', Buffer.from('1a45dfa39f4286810142f781', 'hex'), /is a WebM or Matroska file/],
    ['a CAF', Buffer.from('caff\0\x01\0\0desc'), /is a Core Audio file/],
    ['an AU', Buffer.from('.snd\0\0\0\x18\xff\xff\xff\xff', 'latin1'), /is an AU file/],
    ['a Wave64', Buffer.from('726966662e91cf11a5d628db', 'hex'), /is a Wave64 file/],
    ['rubbish', Buffer.from('\x01\x02\x03\x04 and more'), /begins with "\\u0001\\u0002/],
    ['five bytes', Buffer.from('hello'), /begins with "hell"/],
    ['an AVI', chunk('RIFF', Buffer.from('AVI LIST')), /of kind "AVI ", not WAVE/],
    ['big-endian', chunk('RIFX', Buffer.from('WAVEfmt ')), /big-endian/],
    ['no fmt', riff([chunk('data', randomBytes(8, 6))]), /no fmt chunk before data/],
    ['no data', riff([fmt(1, 2, 16)]), /no data chunk/],
    ['a short fmt', riff([chunk('fmt ', Buffer.alloc(8))]), /fmt chunk of 8 bytes/],
    ['IMA ADPCM', riff([fmt(0x11, 1, 4)]), /samples in IMA ADPCM \(format tag 0x0011\)/],
    ['AC-3', riff([fmt(0x2000, 2, 0)]), /samples in AC-3/],
    ['FLAC in WAV', riff([fmt(0xf1ac, 2, 16)]), /samples in FLAC/],
    ['tag 0x1234', riff([fmt(0x1234, 1, 16)]), /unknown encoding \(format tag 0x1234\)/],
    ['no channels', riff([fmt(1, 0, 16)]), /0 channels/],
    ['33 channels', riff([fmt(1, 33, 16)]), /33 channels/],
    ['64-bit PCM', riff([fmt(1, 1, 64)]), /integer samples of 64 bits in 8 bytes/],
    ['16-bit floats', riff([fmt(3, 1, 16)]), /float samples of 16 bits/],
    ['a short ds64', riff([chunk('ds64', Buffer.alloc(8))], { magic: 'RF64' }), /ds64 chunk of 8/],
  ])('refuses %s and says what to do', async (name, file, message) => {
    for (const portions of [[file], Array.from(file, (byte) => Buffer.of(byte))]) {
      const error = await failure(read(portions));
      expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
      expect(error.message).toMatch(message);
      expect(/ffmpeg -i/.test(error.message)).toBe(!unconvertible.has(name));
    }
  });

  // Recipes of files that other programs left, with what a careful reader makes of them.
  const sound = randomBytes(2000, 31);
  const unlike = (bytes: Buffer) => {
    bytes[0] = 0x80; // no letter: what follows cannot be taken for a chunk
    return bytes;
  };

  it.each([
    ['mono, 16 bits, a block align of 4', 1, 16, 4, 's16', 1000],
    ['stereo, 16 bits, a block align of 2', 2, 16, 2, 's16', 500],
    ['stereo, 16 bits, a block align of 16', 2, 16, 16, 's16', 500],
    ['stereo, 16 bits, a block align of 1', 2, 16, 1, 's16', 500],
    ['mono, 8 bits, a block align of 2', 1, 8, 2, 's16', 2000],
  ] as const)('believes the bits of %s', async (_, channels, bits, align, sampleFormat, frames) => {
    const header = fmt(1, channels, bits);
    header.writeUInt16LE(align, 8 + 12);
    const { format, stats, warnings } = await read([riff([header, chunk('data', sound)])]);
    expect(format).toEqual({ sampleRate: 44100, channels, sampleFormat });
    expect(stats.framesRead).toBe(frames);
    expect(warnings).toEqual(['BLOCK_ALIGN']);
  });

  it.each([
    ['20 bits in four bytes', fmt(1, 1, 20, 4), 's32', 4],
    ['24 bits in four bytes', fmt(1, 2, 24, 4), 's32', 8],
    ['20 bits in three bytes', fmt(1, 1, 20, 3), 's24', 3],
    ['12 bits in two bytes', fmt(1, 1, 12, 2), 's16', 2],
  ])('reads %s without a warning', async (_, header, sampleFormat, frameBytes) => {
    const { format, stats, warnings } = await read([riff([header, chunk('data', sound)])]);
    expect(format.sampleFormat).toBe(sampleFormat);
    expect(stats.framesRead).toBe(Math.floor(2000 / frameBytes));
    expect(warnings).toEqual([]);
  });

  it.each([0x7fffffff, 0x7ffff000, 0x7ffff024, 0xffffffff, 0xfffff024])(
    'takes a data size of %i for unknown, unless the bytes are there',
    async (size) => {
      const file = riff([fmt(1, 1, 16), chunk('data', sound, size)], { size: 0x7ffff024 });
      const { audio, stats, warnings } = await read([file]);
      expect(audio).toEqual(sound);
      expect(stats.declaredFrames).toBeUndefined();
      expect(warnings).toEqual(['LENGTH_UNKNOWN']);
      const parser = new WavParser({ name: 'a long file', bytes: 2 ** 33 });
      expect([...parser.push(file)]).toHaveLength(1);
      expect(parser.declaredFrames).toBe(size === 0xffffffff ? undefined : Math.floor(size / 2));
    },
  );

  it.each([
    ['RIFF says 36', 36],
    ['RIFF says 44', 44],
    ['RIFF says 0', 0],
    ['RIFF says the whole file', -1],
  ])('reads what follows a data chunk of 0 when %s', async (_, size) => {
    const audio = unlike(Buffer.from(sound));
    const file = riff([fmt(1, 1, 16), chunk('data', audio, 0)], { size });
    const result = await read([file]);
    expect(result.audio).toEqual(audio);
    expect(result.warnings).toEqual(['LENGTH_WRONG']);
    const path = join(folder, 'crashed.wav');
    await writeFile(path, file);
    const chunks: Buffer[] = await WavReader.fromFile(path).toArray();
    expect(Buffer.concat(chunks)).toEqual(audio);
  });

  it('reads beyond sizes that wrapped at 4 GiB', async () => {
    const path = join(folder, 'wrapped.wav');
    // 5 GiB of silence without their bytes, behind a header whose sizes are those less 4 GiB.
    const bytes = 5 * 2 ** 30;
    const header = riff([fmt(1, 1, 16), chunk('data', Buffer.alloc(0), bytes - 2 ** 32)], {
      size: bytes - 2 ** 32 + 36,
    });
    const audio = unlike(randomBytes(1 << 20, 32));
    const parser = new WavParser({ name: 'it', bytes: header.length + bytes });
    let frames = 0;
    const count = (portion: Buffer) => {
      for (const piece of parser.push(portion)) frames += piece.length / 2;
    };
    count(header);
    for (let given = 0; given < bytes; given += audio.length) count(audio);
    expect([...parser.end()]).toEqual([]);
    expect(frames).toBe(bytes / 2);
    await rm(path, { force: true });
  });

  it.each([
    ['a chunk of tags', chunk('LIST', Buffer.from('INFOxyz')), 1000],
    ['a chunk that nobody knows', chunk('xyzw', Buffer.from('abcd')), 1000],
    ['an ID3v1 tag', Buffer.concat([Buffer.from('TAG'), randomBytes(125, 33)]), 1000],
    ['padding to a sector', Buffer.alloc(512), 1000],
  ])('ends with the audio when %s follows', async (_, behind, frames) => {
    const body = [fmt(1, 1, 16), chunk('data', sound)];
    const isChunk = behind.length < 100;
    const file = isChunk ? riff([...body, behind]) : Buffer.concat([riff(body), behind]);
    const path = join(folder, 'behind.wav');
    await writeFile(path, file);
    const reader = WavReader.fromFile(path);
    const warnings = warningsOf(reader);
    const chunks: Buffer[] = await reader.toArray();
    expect(Buffer.concat(chunks)).toHaveLength(2 * frames);
    expect(warnings).toEqual([]);
  });

  it('finds the chunk behind one that lacks its padding', async () => {
    const bare = chunk('LIST', Buffer.from('INFOxyz')).subarray(0, 8 + 7);
    const file = riff([bare, fmt(1, 1, 16), chunk('data', sound)]);
    for (const portions of [[file], Array.from(file, (byte) => Buffer.of(byte))]) {
      const { audio, warnings } = await read(portions);
      expect(audio).toEqual(sound);
      expect(warnings).toEqual(['PAD_MISSING']);
    }
  });

  // The values of ITU-T G.711's tables, as 16 bits.
  it.each([
    ['mu-law', 7, { 0x00: -32124, 0x80: 32124, 0x7f: 0, 0xff: 0, 0x0f: -16764, 0xfe: 8 }],
    ['A-law', 6, { 0x2a: -32256, 0xaa: 32256, 0x55: -8, 0xd5: 8, 0x00: -5504, 0x80: 5504 }],
  ])('decodes %s', async (_, tag, values) => {
    const bytes = Buffer.from(Object.keys(values).map(Number));
    const { format, audio, warnings } = await read([riff([fmt(tag, 1, 8), chunk('data', bytes)])]);
    expect(format).toEqual({ sampleRate: 44100, channels: 1, sampleFormat: 's16' });
    const samples = Object.values(values).map((_value, i) => audio.readInt16LE(2 * i));
    expect(samples).toEqual(Object.values(values));
    expect(warnings).toEqual([]);
  });

  it('takes the sizes of a ds64 chunk of all ones for unknown', async () => {
    const sizes = Buffer.alloc(28, 0xff);
    const file = riff([chunk('ds64', sizes), fmt(1, 1, 16), chunk('data', sound, 0xffffffff)], {
      magic: 'RF64',
      size: 0xffffffff,
    });
    const { audio, stats, warnings } = await read([file]);
    expect(audio).toEqual(sound);
    expect(stats.declaredFrames).toBeUndefined();
    expect(warnings).toEqual(['LENGTH_UNKNOWN']);
  });

  it('warns of a file that was cut off', async () => {
    const file = riff([fmt(1, 1, 16), chunk('data', sound)]).subarray(0, 44 + 1000);
    expect((await read([file])).warnings).toEqual(['TRUNCATED']);
  });

  it('names the path when it was given a folder', async () => {
    await expect(WavReader.fromFile(folder).toArray()).rejects.toMatchObject({
      code: 'EISDIR',
      path: folder,
      message: expect.stringContaining(folder) as string,
    });
  });

  it('survives any corruption in portions of any size, and never delivers more than it received', () => {
    const random = seededRandom(7);
    const files = [
      riff([chunk('LIST', randomBytes(30, 8)), fmt(1, 2, 16), chunk('data', randomBytes(600, 9))]),
      riff([fmt(1, 3, 8), chunk('data', randomBytes(600, 10))]),
      riff([fmt(3, 1, 64), chunk('data', randomBytes(600, 11), 0xffffffff)]),
      Buffer.concat([wavHeader({ ...stereo, channels: 6 }, 600), randomBytes(600, 12)]),
      Buffer.concat([wavHeader({ ...stereo, sampleFormat: 'f32' }, 2 ** 33), randomBytes(600, 13)]),
    ];
    const seen = { audio: 0, refused: 0 };
    for (let run = 0; run < 20_000; run++) {
      const copy = Buffer.from(files[run % files.length]);
      for (let flips = Math.floor(random() * 6); flips > 0; flips--) {
        // The header is where it matters; sizes are where it hurts.
        const place = Math.floor(random() * (random() < 0.8 ? 110 : copy.length));
        copy[place] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      const file = copy.subarray(
        0,
        random() < 0.3 ? Math.floor(random() * copy.length) : undefined,
      );
      const bytes = random() < 0.5 ? file.length : undefined;
      const parser = new WavParser({ name: 'it', bytes });
      let given = 0;
      try {
        for (const portion of randomPortions(file, random)) {
          for (const audio of parser.push(portion)) given += audio.length;
        }
        const rest = parser.end();
        let step = rest.next();
        for (; !step.done; step = rest.next()) given += step.value.length;
        expect(step.value).toBeLessThan(32 * 8);
        expect(given % bytesPerFrame(parser.format!)).toBe(0);
        seen.audio++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_AUDIO_FORMAT_UNSUPPORTED' });
        seen.refused++;
      }
      expect(given).toBeLessThanOrEqual(2 * file.length);
    }
    // Both outcomes must be common, or the corruption tests nothing.
    expect(Math.min(seen.audio, seen.refused)).toBeGreaterThan(2000);
  });

  it('cuts chunks to the frame and gives each its own memory', async () => {
    const file = riff([fmt(1, 2, 16), chunk('data', randomBytes(4 * 5000, 14))]);
    const header = Buffer.from(file);
    header.writeUInt32LE(11025, 24);
    const { chunks } = await read(randomPortions(header, seededRandom(15)), new WavReader());
    const frames = chunks.map((one) => one.length / 4);
    expect(frames.slice(0, 5)).toEqual([110, 110, 110, 111, 110]); // ends at floor(k x 110.25)
    expect(frames.reduce((sum, one) => sum + one)).toBe(5000);
    expect(frames.at(-1)).toBe(5000 - Math.floor(45 * 110.25));
    for (const one of chunks) expect(one.buffer.byteLength).toBe(one.length);
    const exact = await read([file], new WavReader({ chunkFrames: 999 }));
    expect(exact.chunks.map((one) => one.length / 4)).toEqual([999, 999, 999, 999, 999, 5]);
  });

  it('counts what has been read, not what waits', async () => {
    const reader = new WavReader({ chunkFrames: 100 });
    reader.end(riff([fmt(1, 2, 16), chunk('data', randomBytes(4 * 250, 16))]));
    await once(reader, 'readable');
    expect(reader.position).toBe(0);
    reader.read();
    expect(reader.position).toBe(100);
    reader.read();
    reader.read();
    expect(reader.position).toBe(250);
    await reader.close();
  });

  it('closes in order while its source continues, and delivers what it has', async () => {
    const source = new PassThrough();
    const reader = source.pipe(new WavReader({ chunkFrames: 10 }));
    source.write(
      riff([fmt(1, 2, 16), chunk('data', randomBytes(4 * 1000, 17))]).subarray(0, 44 + 60),
    );
    await reader.ready;
    const all = reader.toArray() as Promise<Buffer[]>;
    const closed = reader.close();
    source.write(randomBytes(100, 18));
    await closed;
    expect((await all).map((one) => one.length / 4)).toEqual([10, 5]);
    await reader.close(); // again, and nothing happens
  });

  it('closes before there was a header, without an error', async () => {
    const reader = new WavReader();
    await reader.close();
    await expect(reader.ready).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  it('opens files, and passes on the error for a missing one', async () => {
    const path = join(folder, 'there.wav');
    await writeFile(path, riff([fmt(1, 2, 16), chunk('data', randomBytes(100_000, 19))]));
    const chunks: Buffer[] = await WavReader.fromFile(path).toArray();
    expect(Buffer.concat(chunks)).toEqual(randomBytes(100_000, 19));
    const absent = WavReader.fromFile(join(folder, 'absent.wav'));
    await expect(absent.toArray()).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(absent.ready).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(path, 'no audio here');
    expect((await failure(WavReader.fromFile(path).toArray())).message).toContain(path);
  });

  it('is destroyed by its signal, also by one that has already fired', async () => {
    const reader = new WavReader({ signal: AbortSignal.abort() });
    const [error] = (await once(reader, 'error')) as [Error];
    expect(error.name).toBe('AbortError');
  });

  it('refuses wrong options', () => {
    const make = (options: object) => () => new WavReader(options);
    expect(make({ chunkMs: 0 })).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(make({ chunkMs: 10, chunkFrames: 480 })).toThrow(/give one/);
    expect(make({ chunkFrame: 480 })).toThrow(/did you mean 'chunkFrames'/);
    expect(make({ signal: 1 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });

  it('has no times', () => {
    const unsupported = expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }) as Error;
    expect(() => new WavReader().timeAt(0)).toThrow(unsupported);
    expect(() => new WavReader().frameAt(0n)).toThrow(unsupported);
  });
});
