import type { EventEmitter } from 'node:events';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { AudioError } from '../../lib/errors.js';
import {
  bytesPerFrame,
  sampleFormats,
  withFormat,
  type AudioFormat,
} from '../../lib/format/format.js';
import { wavHeader } from '../../lib/sinks/wav-header.js';
import { WavWriter } from '../../lib/sinks/wav-writer.js';
import { ToneSource } from '../../lib/sources/tone-source.js';
import { WavParser } from '../../lib/transforms/wav-parser.js';
import { WavReader } from '../../lib/transforms/wav-reader.js';
import { randomPortions, seededRandom } from '../instruments/random.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord wav #'));
});
afterAll(() => rm(folder, { recursive: true }));

const stereo: AudioFormat = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };

function randomBytes(length: number, seed: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

function chunk(id: string, body: Buffer, size = body.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(id, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)]);
}

function fmt(tag: number, channels: number, bits: number, width = Math.ceil(bits / 8)): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(44100, 4);
  body.writeUInt32LE(44100 * channels * width, 8);
  body.writeUInt16LE(channels * width, 12);
  body.writeUInt16LE(bits, 14);
  return chunk('fmt ', body);
}

function riff(chunks: Buffer[], { magic = 'RIFF', size = -1 } = {}): Buffer {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return chunk(magic, body, size < 0 ? body.length : size);
}

async function read(portions: Iterable<Buffer>, reader = new WavReader()) {
  const chunks: Buffer[] = await Readable.from(portions).pipe(reader).toArray();
  return { format: reader.format, audio: Buffer.concat(chunks), chunks, stats: reader.stats() };
}

async function failure(promise: Promise<unknown>): Promise<AudioError> {
  const error: unknown = await promise.then(
    () => expect.fail('must be refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AudioError);
  return error as AudioError;
}

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

  it('knows its format when the header has arrived, and not before', async () => {
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

  it('takes sizes past 32 bits from ds64', async () => {
    const header = wavHeader(stereo, 5 * 2 ** 30);
    expect(header.toString('latin1', 0, 4)).toBe('RF64');
    const { audio, stats } = await read([header, randomBytes(400, 4)]);
    expect(audio).toHaveLength(400);
    expect(stats.declaredFrames).toBe((5 * 2 ** 30) / 4);
  });

  it('gives the whole frames of a file that was cut off', async () => {
    const file = riff([fmt(1, 2, 16), chunk('data', randomBytes(1000, 5))]);
    const { audio, stats } = await read([file.subarray(0, 44 + 403)]);
    expect(audio).toEqual(randomBytes(1000, 5).subarray(0, 400));
    expect(stats).toEqual({ framesRead: 100, declaredFrames: 250, partialFrameBytes: 3 });
  });

  it.each([
    ['nothing', Buffer.alloc(0), /is empty/],
    [
      'an MP3',
      Buffer.from('ID3\x04\0\0\0\0\0\0\0\0\0'),
      /not a WAV file: it begins with "ID3\\u0004"/,
    ],
    ['five bytes', Buffer.from('hello'), /begins with "hell"/],
    ['an AVI', chunk('RIFF', Buffer.from('AVI LIST')), /of kind "AVI ", not WAVE/],
    ['big-endian', chunk('RIFX', Buffer.from('WAVEfmt ')), /big-endian/],
    ['no fmt', riff([chunk('data', randomBytes(8, 6))]), /no fmt chunk before data/],
    ['no data', riff([fmt(1, 2, 16)]), /no data chunk/],
    ['a short fmt', riff([chunk('fmt ', Buffer.alloc(8))]), /fmt chunk of 8 bytes/],
    ['mu-law', riff([fmt(7, 1, 8)]), /mu-law samples/],
    ['format 4660', riff([fmt(0x1234, 1, 16)]), /format 4660 samples/],
    ['no channels', riff([fmt(1, 0, 16)]), /0 channels/],
    ['33 channels', riff([fmt(1, 33, 16)]), /33 channels/],
    ['64-bit PCM', riff([fmt(1, 1, 64)]), /integer samples of 64 bits in 8 bytes/],
    ['16-bit floats', riff([fmt(3, 1, 16)]), /float samples of 16 bits/],
    ['a short ds64', riff([chunk('ds64', Buffer.alloc(8))], { magic: 'RF64' }), /ds64 chunk of 8/],
  ])('refuses %s in words', async (_, file, message) => {
    for (const portions of [[file], Array.from(file, (byte) => Buffer.of(byte))]) {
      const error = await failure(read(portions));
      expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/ffmpeg/);
    }
  });

  it('survives any corruption in any portions, and never gives more than it got', () => {
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
      const bytes = Buffer.from(files[run % files.length]);
      for (let flips = Math.floor(random() * 6); flips > 0; flips--) {
        // The header is where it matters; sizes are where it hurts.
        const place = Math.floor(random() * (random() < 0.8 ? 110 : bytes.length));
        bytes[place] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      const file = bytes.subarray(
        0,
        random() < 0.3 ? Math.floor(random() * bytes.length) : undefined,
      );
      const parser = new WavParser('it');
      let given = 0;
      try {
        for (const portion of randomPortions(file, random)) {
          for (const audio of parser.push(portion)) given += audio.length;
        }
        expect(parser.end()).toBeLessThan(32 * 8);
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

  it('closes in order while its source goes on, and gives what it has', async () => {
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
    expect((await failure(reader.ready)).code).toBe('ERR_AUDIO_FORMAT_UNKNOWN');
  });

  it('opens files, and hands over the error of one that is not there', async () => {
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

describe('wavHeader', () => {
  it('is the plain one where old programs can read the audio', () => {
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

describe('WavWriter', () => {
  it.each(
    sampleFormats.flatMap((sampleFormat) => [1, 2, 3, 8].map((n) => [sampleFormat, n] as const)),
  )('writes %s with %i channels, in any portions', async (sampleFormat, channels) => {
    const format = { sampleRate: 44100, channels, sampleFormat };
    const audio = randomBytes(bytesPerFrame(format) * 1001, channels);
    const path = join(folder, `${sampleFormat}-${channels}.wav`);
    const writer = WavWriter.toFile(path, { format });
    await pipeline(randomPortions(audio, seededRandom(channels)), writer);
    expect(writer.framesWritten).toBe(1001);
    const file = await readFile(path);
    expect(file.length % 2).toBe(0);
    expect(file.readUInt32LE(4)).toBe(file.length - 8);
    const reader = WavReader.fromFile(path);
    expect(Buffer.concat((await reader.toArray()) as Buffer[])).toEqual(audio);
    expect(reader.format).toEqual(format);
    expect(reader.stats().declaredFrames).toBe(1001);
  });

  it('is readable at every moment, and its sizes follow without an end', async () => {
    const path = join(folder, 'growing.wav');
    const writer = WavWriter.toFile(path, { format: stereo });
    const write = (frames: number) =>
      new Promise((resolve) => writer.write(randomBytes(4 * frames, frames), resolve));
    const frames = async () => {
      const { audio, stats } = await read([await readFile(path)]);
      return { read: audio.length / 4, declared: stats.declaredFrames };
    };
    await writer.ready;
    expect(await frames()).toEqual({ read: 0, declared: undefined });
    await write(100);
    expect(await frames()).toEqual({ read: 100, declared: undefined });
    await vi.waitFor(
      async () => expect(await frames()).toEqual({ read: 100, declared: 100 }),
      10_000,
    );
    await write(50);
    await vi.waitFor(
      async () => expect(await frames()).toEqual({ read: 150, declared: 150 }),
      10_000,
    );
    await writer.close();
  });

  it('takes the format of what is piped in', async () => {
    const path = join(folder, 'piped.wav');
    const tone = new ToneSource({
      durationMs: 100,
      sampleRate: 16000,
      channels: 1,
      sampleFormat: 's24',
    });
    await pipeline(tone, WavWriter.toFile(path, { format: stereo }));
    const reader = WavReader.fromFile(path);
    await reader.ready;
    expect(reader.format).toEqual(tone.format);
    const foreign = withFormat(Readable.from([Buffer.alloc(400)]), stereo);
    const writer = WavWriter.toFile(path);
    await pipeline(foreign, writer);
    expect(writer.format).toEqual(stereo);
    expect(writer.stats()).toEqual({ framesWritten: 100, fileBytes: 480 });
    await reader.close();
  });

  it('waits with the format for an upstream that knows it later', async () => {
    const path = join(folder, 'later.wav');
    const reader = new WavReader();
    const writer = reader.pipe(WavWriter.toFile(path));
    reader.end(riff([fmt(1, 1, 8), chunk('data', randomBytes(100, 20))]));
    await once(writer, 'finish');
    expect(writer.format).toEqual({ sampleRate: 44100, channels: 1, sampleFormat: 's16' });
    expect(writer.position).toBe(100);
  });

  it('refuses bytes of unknown format', async () => {
    const writer = WavWriter.toFile(join(folder, 'unknown.wav'));
    const error = await failure(pipeline([Buffer.alloc(4)], writer));
    expect(error.code).toBe('ERR_AUDIO_FORMAT_UNKNOWN');
    expect(error.message).toMatch(/unknown\.wav.*withFormat/);
    expect((await failure(writer.ready)).code).toBe('ERR_AUDIO_FORMAT_UNKNOWN');
  });

  it('stores the whole frames of bytes that end within one, and says so', async () => {
    const path = join(folder, 'half.wav');
    const writer = WavWriter.toFile(path, { format: stereo });
    const error = await failure(pipeline([Buffer.alloc(7), Buffer.alloc(4)], writer));
    expect(error.code).toBe('ERR_AUDIO_PARTIAL_FRAME');
    expect(error.message).toMatch(/3 of its 4 bytes/);
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(2);
  });

  it('keeps a part of a frame until the rest comes', async () => {
    const path = join(folder, 'parts.wav');
    const writer = WavWriter.toFile(path, { format: stereo });
    const audio = randomBytes(12, 23);
    const seen = [];
    for (const [from, to] of [
      [0, 3],
      [3, 5],
      [5, 12],
    ]) {
      await new Promise((resolve) => writer.write(audio.subarray(from, to), resolve));
      seen.push(writer.framesWritten);
    }
    expect(seen).toEqual([0, 1, 3]);
    await writer.close();
    expect((await read([await readFile(path)])).audio).toEqual(audio);
  });

  it('refuses a later stream of another format, and keeps what is there', async () => {
    const path = join(folder, 'change.wav');
    const writer = WavWriter.toFile(path);
    const first = new ToneSource({ durationMs: 10 });
    first.pipe(writer, { end: false });
    await vi.waitFor(() => expect(writer.framesWritten).toBe(480));
    const error = await failure(pipeline(new ToneSource({ channels: 1, durationMs: 10 }), writer));
    expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
    expect(error.message).toMatch(/48000 Hz, 1 channel, f32 was piped into .* 2 channels/);
    await writer.close();
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(480);
  });

  it('refuses a second stream at the same time, and names Mixer', async () => {
    const writer = WavWriter.toFile(join(folder, 'two.wav'));
    const tones = [new ToneSource(), new ToneSource()];
    for (const tone of tones) tone.pipe(writer);
    const [error] = (await once(writer, 'error')) as [AudioError];
    expect(error.message).toMatch(/Mixer/);
    for (const tone of tones) tone.destroy();
  });

  it('closes while it is being written to, and every frame that it took is there', async () => {
    const path = join(folder, 'closed.wav');
    const tone = new ToneSource();
    const writer = tone.pipe(WavWriter.toFile(path));
    await writer.ready;
    await writer.close();
    expect(tone.destroyed).toBe(false);
    expect(writer.framesWritten).toBeGreaterThan(0);
    const { stats } = await read([await readFile(path)]);
    expect(stats.declaredFrames).toBe(writer.framesWritten);
    tone.destroy();
  });

  it('closes before there was a frame', async () => {
    const path = join(folder, 'early.wav');
    const tone = new ToneSource({ sampleRate: 44100 });
    await tone.pipe(WavWriter.toFile(path)).close();
    const { format, stats } = await read([await readFile(path)]);
    expect(format).toEqual(tone.format);
    expect(stats.declaredFrames ?? 0).toBe(0);
    tone.destroy();
    const unused = WavWriter.toFile(path);
    await unused.close();
    expect(await readFile(path)).toHaveLength(0);
  });

  it('leaves a valid file when it is destroyed', async () => {
    const path = join(folder, 'destroyed.wav');
    const controller = new AbortController();
    const writer = WavWriter.toFile(path, { format: stereo, signal: controller.signal });
    await new Promise((resolve) => writer.write(randomBytes(4000, 21), resolve));
    controller.abort();
    const [error] = (await once(writer, 'error')) as [Error];
    expect(error.name).toBe('AbortError');
    if (!writer.closed) await once(writer, 'close');
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(1000);
    await writer.close();
  });

  it('is disposed of without an error', async () => {
    const path = join(folder, 'disposed.wav');
    {
      await using writer = WavWriter.toFile(path, { format: stereo });
      writer.write(randomBytes(4000, 22));
    }
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(1000);
  });

  it('reports a file that cannot be made', async () => {
    const writer = WavWriter.toFile(join(folder, 'no', 'such', 'folder.wav'), { format: stereo });
    const [error] = (await once(writer as EventEmitter, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ENOENT');
    await expect(writer.ready).rejects.toBe(error);
  });

  it('refuses wrong arguments', () => {
    expect(() => new WavWriter(5 as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => new WavWriter('x.wav', { format: { ...stereo, channels: 33 } })).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });
});
