import { execFileSync } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Duplex } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import {
  bytesPerFrame,
  defaultFormat,
  sampleFormats,
  withFormat,
  type AudioFormat,
} from '../../lib/format/format.js';
import { Mixer } from '../../lib/mixer/mixer.js';
import { filePortionMs } from '../../lib/streams/file-destination.js';
import { WavWriter, type WavWriterOptions } from '../../lib/sinks/wav-writer.js';
import { MicSource } from '../../lib/sources/mic-source.js';
import { ToneSource } from '../../lib/sources/tone-source.js';
import { SimulatedAudio } from '../../lib/testing.js';
import { Gain } from '../../lib/transforms/gain.js';
import { LevelMeter } from '../../lib/transforms/level-meter.js';
import { Limiter } from '../../lib/transforms/limiter.js';
import { LoudnessNormalizer } from '../../lib/transforms/loudness-normalizer.js';
import { Resampler } from '../../lib/transforms/resampler.js';
import { WavReader } from '../../lib/transforms/wav-reader.js';
import { randomPortions, seededRandom } from '../instruments/random.js';
import { stereo, randomBytes, chunk, fmt, riff, read, failure } from '../instruments/wav-bytes.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord wav #'));
});
afterAll(() => rm(folder, { recursive: true }));

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

  it('is readable at any time, and its header counts a portion of a live stream at once', async () => {
    const path = join(folder, 'growing.wav');
    const writer = WavWriter.toFile(path, { format: stereo });
    const write = (frames: number) =>
      new Promise((resolve) => writer.write(randomBytes(4 * frames, frames), resolve));
    const frames = async () => {
      const { audio, stats } = await read([await readFile(path)]);
      return { read: audio.length / 4, declared: stats.declaredFrames };
    };
    await writer.ready;
    expect(await frames()).toEqual({ read: 0, declared: 0 });
    for (let portion = 1; portion <= 3; portion++) {
      await write(100);
      expect(await frames()).toEqual({ read: 100 * portion, declared: 100 * portion });
      await new Promise((resolve) => setTimeout(resolve, filePortionMs));
    }
    // Smaller writes are counted together.
    for (let k = 0; k < 5; k++) await write(10);
    await vi.waitFor(
      async () => expect(await frames()).toEqual({ read: 350, declared: 350 }),
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
    await reader.close();
    const foreign = withFormat(Readable.from([Buffer.alloc(400)]), stereo);
    const writer = WavWriter.toFile(path);
    await pipeline(foreign, writer);
    expect(writer.format).toEqual(stereo);
    expect(writer.stats()).toEqual({ framesWritten: 100, fileBytes: 480 });
  });

  it('waits for an upstream that gets its format later', async () => {
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

  it.each<[string, () => Readable]>([
    ['a tone', () => new ToneSource({ durationMs: 100 })],
    ['a microphone', () => new MicSource({ backend: new SimulatedAudio(), durationMs: 100 })],
  ])('takes another stream when %s has ended that was not to end the file', async (_, make) => {
    const writer = WavWriter.toFile(join(folder, 'one-after-another.wav'));
    const first = make();
    first.pipe(writer, { end: false });
    await once(first, 'end');
    await pipeline(make(), writer);
    expect(writer.framesWritten).toBe(9600);
  });

  it('refuses a second stream at the same time, and names Mixer', async () => {
    const writer = WavWriter.toFile(join(folder, 'two.wav'));
    const tones = [new ToneSource(), new ToneSource()];
    tones[0].pipe(writer);
    expect(() => tones[1].pipe(writer)).toThrow(/Mixer/);
    for (const tone of tones) tone.destroy();
    await writer.close();
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

  it('rejects a file that is being read or written, and does not change it', async () => {
    const path = join(folder, 'busy.wav');
    const audio = randomBytes(400_000, 41);
    await writeFile(path, riff([fmt(1, 2, 16), chunk('data', audio)]));
    const reader = WavReader.fromFile(path);
    const onto = pipeline(reader, WavWriter.toFile(path));
    const error = await failure(onto);
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toMatch(/busy\.wav cannot be written: this process is reading/);
    expect((await read([await readFile(path)])).audio).toEqual(audio);

    const other = join(folder, 'twice.wav');
    const [first, second] = [WavWriter.toFile(other), WavWriter.toFile(other)];
    const results = await Promise.allSettled([
      pipeline(new ToneSource({ durationMs: 50 }), first),
      pipeline(new ToneSource({ durationMs: 50 }), second),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await read([await readFile(other)])).stats.declaredFrames).toBe(2400);
    await pipeline(new ToneSource({ durationMs: 20 }), WavWriter.toFile(other));
    expect((await read([await readFile(other)])).stats.declaredFrames).toBe(960);
  });

  it('waits for a stream of the same file that is closing, and replaces what that one stored', async () => {
    const path = join(folder, 'again.wav');
    const abort = new AbortController();
    const aborted = WavWriter.toFile(path, { format: stereo, signal: abort.signal });
    aborted.on('error', () => {});
    await aborted.ready;
    // Its last write is still under way, and the header follows.
    aborted.write(randomBytes(4_000_000, 51));
    abort.abort();
    const second = WavWriter.toFile(path, { format: stereo });
    second.end(randomBytes(4000, 52));
    await finished(second);
    expect(aborted.closed).toBe(true);
    const third = WavWriter.toFile(path, { format: stereo });
    third.end(randomBytes(8000, 53));
    await once(third, 'finish');
    await pipeline(new ToneSource({ durationMs: 20 }), WavWriter.toFile(path));
    expect(third.closed).toBe(true);
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(960);

    const reader = WavReader.fromFile(path);
    reader.destroy();
    await pipeline(new ToneSource({ durationMs: 10 }), WavWriter.toFile(path));
    expect((await read([await readFile(path)])).stats.declaredFrames).toBe(480);
  });

  it.runIf(process.platform !== 'win32')(
    'refuses a FIFO before it waits for a reader',
    async () => {
      const path = join(folder, 'fifo');
      execFileSync('mkfifo', [path]);
      const error = await failure(
        pipeline(new ToneSource({ durationMs: 20 }), new WavWriter(path)),
      );
      expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
      expect(error.message).toMatch(/is a pipe.*WavEncoder/);
    },
  );

  it.runIf(process.platform === 'linux')(
    'counts the bytes that a full disk has stored',
    async () => {
      // A limit on the length of files stands in for a full disk: the first write stores a part.
      const script = `
      const { WavWriter } = require(${JSON.stringify(join(process.cwd(), 'dist/index.js'))});
      process.on('SIGXFSZ', () => {});
      const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
      const writer = new WavWriter(process.argv[1], { format });
      writer.on('error', () => {});
      writer.end(Buffer.alloc(1_000_000, 1));
    `;
      const path = join(folder, 'full.wav');
      execFileSync('sh', [
        '-c',
        'ulimit -f 100; exec "$0" "$@"',
        process.execPath,
        '-e',
        script,
        path,
      ]);
      const { audio, stats } = await read([await readFile(path)]);
      expect(audio.length).toBeGreaterThan(40_000);
      expect(stats.declaredFrames).toBe(audio.length / 4);
    },
  );

  it('reports a file that cannot be created', async () => {
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

describe('a WAV file without a frame', () => {
  const mono = { sampleRate: 44100, channels: 1, sampleFormat: 's24' } as const;
  const fmtOfMono = (): Buffer => {
    const body = fmt(1, 1, 24);
    return riff([body, chunk('data', Buffer.alloc(0))]);
  };
  const emptyFile = (): WavReader => {
    const reader = new WavReader();
    reader.end(fmtOfMono());
    return reader;
  };
  const transforms: [string, () => Duplex][] = [
    ['Gain', () => new Gain()],
    ['Limiter', () => new Limiter()],
    ['LevelMeter', () => new LevelMeter()],
    ['LoudnessNormalizer', () => new LoudnessNormalizer()],
    ['Resampler', () => new Resampler({ sampleRate: 44100 })],
  ];
  const ways: [string, AudioFormat, (writer: WavWriter) => Promise<unknown>][] = [
    ['pipe() of a file', mono, (writer) => finished(emptyFile().pipe(writer))],
    ['pipeline() of a file', mono, (writer) => pipeline(emptyFile(), writer)],
    ...transforms.flatMap(([name, make]): typeof ways => [
      [`pipe() through ${name}`, mono, (writer) => finished(emptyFile().pipe(make()).pipe(writer))],
      [`pipeline() through ${name}`, mono, (writer) => pipeline(emptyFile(), make(), writer)],
    ]),
    [
      'pipeline() through two transforms',
      mono,
      (writer) => pipeline(emptyFile(), new Gain(), new Limiter(), writer),
    ],
    [
      'a transform that is closed',
      mono,
      async (writer) => {
        const gain = new Gain();
        gain.pipe(writer);
        const tone = new ToneSource(mono);
        tone.pipe(gain);
        await Promise.all([gain.close(), finished(writer)]);
        tone.destroy();
      },
    ],
    [
      'a mixer',
      mono,
      (writer) => {
        const mixer = new Mixer(mono);
        emptyFile().pipe(mixer.createInput());
        return pipeline(mixer, writer);
      },
    ],
    [
      'a microphone that is closed',
      mono,
      async (writer) => {
        const mic = new MicSource({ ...mono, backend: new SimulatedAudio({ clock: 'manual' }) });
        const done = pipeline(mic, writer);
        await mic.close();
        await done;
      },
    ],
    [
      'a stream that is unpiped',
      mono,
      async (writer) => {
        const tone = new ToneSource(mono);
        tone.pipe(writer);
        tone.unpipe(writer);
        await writer.close();
        tone.destroy();
      },
    ],
    ['withFormat()', mono, (writer) => pipeline(withFormat(Readable.from([]), mono), writer)],
    ['end() of nothing', defaultFormat, (writer) => finished(writer.end())],
    ['end() of no bytes', defaultFormat, (writer) => finished(writer.end(Buffer.alloc(0)))],
    ['close()', defaultFormat, (writer) => writer.close()],
    ['an empty foreign stream', defaultFormat, (writer) => pipeline(Readable.from([]), writer)],
    [
      'a foreign stream of an empty chunk',
      defaultFormat,
      (writer) => pipeline(Readable.from([Buffer.alloc(0)]), writer),
    ],
  ];

  it.each(ways)('is valid: %s', async (_, format, write) => {
    const path = join(folder, 'none.wav');
    const writer = WavWriter.toFile(path);
    await write(writer);
    const { format: found, audio, stats } = await read([await readFile(path)]);
    expect(found).toEqual(format);
    expect(audio).toHaveLength(0);
    expect(stats.declaredFrames).toBe(0);
    expect(await writer.ready).toBe(writer);
  });
});

describe('where a file begins', () => {
  const after = async (pipeAfterMs: number, options?: WavWriterOptions) => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    const mic = new MicSource({ backend: audio, durationMs: 1000, ...stereo });
    const path = join(folder, `from ${pipeAfterMs}.wav`);
    await audio.advance(pipeAfterMs);
    const writer = mic.pipe(WavWriter.toFile(path, options));
    const begins = { startFrame: writer.startFrame, startTime: writer.startTime };
    await audio.advance(2000);
    await once(writer, 'close');
    return { mic, writer, begins, file: await readFile(path) };
  };

  it('gives its start in frames and in time of the stream that was piped in', async () => {
    const { mic, writer, begins } = await after(300);
    expect(begins).toEqual({ startFrame: undefined, startTime: undefined });
    expect(writer.startFrame).toBeGreaterThan(0);
    expect(writer.startFrame).toBeLessThanOrEqual(300 * 48);
    expect(writer.framesWritten).toBe(48_000 - (writer.startFrame ?? 0));
    const error = Number((writer.startTime ?? 0n) - mic.timeAt(writer.startFrame ?? 0));
    expect(Math.abs(error)).toBeLessThan(1000);
    expect((await after(0)).writer.startFrame).toBe(0);
  });

  it('is 0, and has no time, where bytes are written', async () => {
    const writer = WavWriter.toFile(join(folder, 'bytes.wav'), { format: stereo });
    await pipeline(new ToneSource({ durationMs: 50, ...stereo }), writer);
    expect(writer.startFrame).toBe(0);
    expect(writer.startTime).toBe(undefined);
  });

  it('is the time of day in a bext chunk, if that is asked for', async () => {
    const path = join(folder, 'broadcast.wav');
    const from = new Date();
    const writer = WavWriter.toFile(path, { timeReference: true });
    await pipeline(new ToneSource({ durationMs: 50, ...stereo }), writer);
    const file = await readFile(path);
    const at = file.indexOf('bext');
    expect(file.readUInt32LE(at + 4)).toBe(602);
    const frames = Number(file.readBigUInt64LE(at + 8 + 338));
    const midnight = new Date(from.getFullYear(), from.getMonth(), from.getDate());
    const ms = (frames / 48 + midnight.getTime() - from.getTime() + 86_400_000) % 86_400_000;
    expect(ms).toBeLessThan(20_000);
    const two = (value: number) => String(value).padStart(2, '0');
    const day = new Date(from.getTime() + ms);
    const date = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
    expect(file.toString('latin1', at + 8 + 320, at + 8 + 330)).toBe(date);
    const { audio, warnings } = await read([file]);
    expect(audio.length).toBe(2400 * 4);
    expect(warnings).toEqual([]);
  });
});
