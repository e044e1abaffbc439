// How streams are read from JavaScript: what Node's readers expect of every stream of this package.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  DeviceMonitor,
  Gain,
  MicSource,
  Mixer,
  ProcessMonitor,
  Resampler,
  SpeakerSink,
  ToneSource,
  WavEncoder,
  WavReader,
  type AudioChunk,
  type Discontinuity,
} from 'patchcord';

import { openSystem, type System } from './system.js';
import { event } from './wait.js';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
const chunkBytes = 480 * 8;

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const mic = (options = {}): MicSource =>
  new MicSource({ backend: system.backend, durationMs: 300, ...options });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a reader of a transform', () => {
  it.each([0, 1, 5])(
    'that listens %i turns before a source is piped in gets all of it',
    async (turns) => {
      const gain = new Gain();
      let bytes = 0;
      gain.on('data', (chunk: Buffer) => (bytes += chunk.length));
      for (let k = 0; k < turns; k++) await turn();
      mic().pipe(gain);
      await event(gain, 'end');
      expect(bytes).toBe(30 * chunkBytes);
    },
  );
});

describe('setEncoding()', () => {
  const makers = {
    'a source': () => mic(),
    'a tone': () => new ToneSource({ durationMs: 300 }),
    'a transform of a source': () => mic().pipe(new Gain()),
    'a transform of bytes': () => new ToneSource({ durationMs: 300 }).pipe(new Gain()),
    'a mixer': () => {
      const mixer = new Mixer();
      new ToneSource({ durationMs: 300 }).pipe(mixer.createInput());
      return mixer;
    },
    'a WAV file': () =>
      new ToneSource({ durationMs: 300 }).pipe(new WavEncoder()).pipe(new WavReader()),
  };

  it.each(Object.entries(makers))('gives strings of %s', async (_name, make) => {
    const stream = make();
    stream.setEncoding('latin1');
    const chunks: unknown[] = [];
    stream.on('data', (chunk: unknown) => chunks.push(chunk));
    await event(stream, 'end');
    expect(new Set(chunks.map((chunk) => typeof chunk))).toEqual(new Set(['string']));
    expect(chunks.join('').length).toBe(30 * chunkBytes);
  });

  it.each(Object.entries(makers))('of %s whose chunks wait loses none', async (_name, make) => {
    const stream = make();
    // Asks for chunks, and leaves them there.
    await event(stream, 'readable');
    expect(stream.readableLength).toBeGreaterThan(0);
    stream.setEncoding('latin1');
    const chunks: unknown[] = [];
    stream.on('data', (chunk: unknown) => chunks.push(chunk));
    stream.resume();
    await event(stream, 'end');
    expect(new Set(chunks.map((chunk) => typeof chunk))).toEqual(new Set(['string']));
    expect(chunks.join('').length).toBe(30 * chunkBytes);
  });
});

describe('the asynchronous context of the app that made a stream', () => {
  const store = new AsyncLocalStorage<string>();

  it('is the context of its events', async () => {
    const seen: Record<string, unknown> = {};
    const note = (name: string) => () => (seen[name] = store.getStore());
    const streams = store.run('of the app', () => {
      const source = mic();
      const gain = mic().pipe(new Gain());
      const mixer = new Mixer();
      mic().pipe(mixer.createInput());
      const sink = new SpeakerSink({ backend: system.backend, format });
      return { source, gain, mixer, sink };
    });
    const { source, gain, mixer, sink } = streams;
    for (const [name, stream] of Object.entries({ source, gain, mixer })) {
      stream.on('data', note(`data of ${name}`)).on('end', note(`end of ${name}`));
    }
    sink.on('idle', note('idle')).on('finish', note('finish'));
    const ended = [source, gain, mixer].map((stream) => event(stream, 'end'));
    await sink.ready;
    const idle = event(sink, 'idle');
    sink.write(Buffer.alloc(chunkBytes * 20), note('write callback'));
    await idle;
    sink.end(Buffer.alloc(chunkBytes));
    await Promise.all([event(sink, 'finish'), ...ended]);
    expect(seen).toEqual(
      Object.fromEntries(
        [
          ...['source', 'gain', 'mixer'].flatMap((name) => [`data of ${name}`, `end of ${name}`]),
          'idle',
          'finish',
          'write callback',
        ].map((name) => [name, 'of the app']),
      ),
    );
  });
});

describe('close()', () => {
  const stuck = (): Writable => new Writable({ highWaterMark: 1, write() {} });

  it.each<[string, () => { close(): Promise<void>; pipe(to: Writable): unknown }]>([
    ['a source', () => mic({ durationMs: undefined })],
    ['a tone', () => new ToneSource()],
    ['a transform of a source', () => mic({ durationMs: undefined }).pipe(new Gain())],
    ['a transform of bytes', () => new ToneSource().pipe(new Gain())],
  ])('of %s does not wait for a destination that takes nothing', async (_name, make) => {
    const stream = make();
    stream.pipe(stuck());
    await new Promise((resolve) => setTimeout(resolve, 200));
    const from = performance.now();
    await stream.close();
    expect(performance.now() - from).toBeLessThan(5000);
  });

  it('waits for a destination that is slow', async () => {
    let bytes = 0;
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        setTimeout(done, 50);
      },
    });
    const source = mic();
    source.pipe(slow);
    await event(source, 'ready');
    await new Promise((resolve) => setTimeout(resolve, 400));
    await source.close();
    expect(source.closed).toBe(true);
    expect(bytes).toBe(30 * chunkBytes);
  });
});

describe('an endless tone', () => {
  it('does not starve the event loop', async () => {
    const tone = new ToneSource();
    let chunks = 0;
    tone.on('data', () => {
      if (++chunks > 10_000) tone.destroy(new Error('no timer fired'));
    });
    while (chunks <= 16) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(tone.errored).toBe(null);
    tone.destroy();
  });
});

describe('a mix of what was written', () => {
  const minute = Buffer.alloc(60 * 48_000 * 8);
  const readers: Record<string, (mixer: Mixer) => Promise<number>> = {
    data: async (mixer) => {
      let bytes = 0;
      mixer.on('data', (chunk: Buffer) => (bytes += chunk.length));
      await finished(mixer);
      return bytes;
    },
    'chunks()': async (mixer) => {
      let bytes = 0;
      for await (const { data } of mixer.chunks()) bytes += data.length;
      return bytes;
    },
    'pipe()': async (mixer) => {
      let bytes = 0;
      const destination = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          bytes += chunk.length;
          done();
        },
      });
      await pipeline(mixer, destination);
      return bytes;
    },
  };
  it.each(Object.keys(readers))('leaves turns of the event loop to others: %s', async (how) => {
    const mixer = new Mixer();
    mixer.createInput({ format }).end(minute);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    expect(await readers[how](mixer)).toBe(minute.length);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });
});

describe('arguments', () => {
  const timeOfDay = BigInt(Date.now()) * 1_000_000n;
  it.each([2n ** 59n + 1n, -(2n ** 70n), timeOfDay, 0])('a time of %s is refused', async (time) => {
    await using source = await MicSource.open({ backend: system.backend });
    await using sink = await SpeakerSink.open({ backend: system.backend });
    const mixer = new Mixer();
    source.pipe(mixer.createInput());
    const gain = source.pipe(new Gain());
    for (const stream of [source, sink, mixer, gain]) {
      const code = typeof time === 'bigint' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
      expect(() => stream.frameAt(time as bigint)).toThrow(expect.objectContaining({ code }));
      for (const frame of [1e18, Date.now(), -1e18]) {
        expect(() => stream.timeAt(frame)).toThrow(/index of a frame.*process\.hrtime\.bigint/);
      }
    }
    mixer.destroy();
  });

  it('an object that cannot be written to is no destination', () => {
    const streams = [mic(), new Mixer(), new Gain()];
    for (const stream of streams) {
      expect(() => stream.pipe({} as never)).toThrow(
        'The "destination" argument must be an instance of Writable. Received an instance of Object',
      );
      stream.destroy();
    }
  });

  it('names the option that is wrong', () => {
    expect(() => mic({ device: 5 })).toThrow(
      'The "options.device" property must be a name, an id, or an AudioDevice of listDevices(). ' +
        'Received type number (5)',
    );
    expect(() => mic({ recover: { giveUp: 5 } })).toThrow("'options.recover.giveUp'");
  });
});

describe('streams that are closed or destroyed early', () => {
  it('rejects `ready` of a monitor', async () => {
    for (const Monitor of [DeviceMonitor, ProcessMonitor]) {
      const monitor = new Monitor({ backend: system.backend });
      monitor.close();
      await expect(monitor.ready).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    }
  });

  it('gives the callback of a write that it has not taken an error', async () => {
    const sink = await SpeakerSink.open({ backend: system.backend, format });
    const mixer = new Mixer();
    for (const stream of [sink, mixer.createInput({ format })]) {
      const called = new Promise((resolve) =>
        stream.write(Buffer.alloc(chunkBytes * 500), resolve),
      );
      await turn();
      stream.destroy();
      expect(await called).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
      expect(stream.errored).toBe(null);
    }
  });
});

describe('chunks of a transform', () => {
  it('have the requested length, positions and times', async () => {
    const speech = mic().pipe(
      new Resampler({ sampleRate: 16000, channels: 1, sampleFormat: 's16', chunkMs: 50 }),
    );
    const chunks: AudioChunk[] = [];
    for await (const chunk of speech.chunks()) chunks.push(chunk);
    expect(chunks.map(({ frames }) => frames)).toEqual(Array(6).fill(800));
    expect(chunks.map(({ frame }) => frame)).toEqual([0, 800, 1600, 2400, 3200, 4000]);
    expect(chunks.map(({ data }) => data.length)).toEqual(Array(6).fill(1600));
    const steps = chunks.slice(1).map(({ time }, k) => Number(time - chunks[k].time) / 1e6);
    // The engine is still learning the clock of a real device then.
    const tolerance = system.name === 'simulated' ? 0.05 : 25;
    for (const step of steps) expect(Math.abs(step - 50)).toBeLessThan(tolerance);
  });

  it('of written bytes have the length too, and no times', async () => {
    const gain = new ToneSource({ durationMs: 105 }).pipe(new Gain({ chunkMs: 20 }));
    expect(() => gain.chunks()).toThrow(expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }));
    const frames: number[] = [];
    for await (const chunk of gain) frames.push(chunk.length / 8);
    expect(frames).toEqual([960, 960, 960, 960, 960, 240]);
  });

  it('that are not read in time are a discontinuity', async () => {
    const gain = mic({ durationMs: 400 }).pipe(new Gain({ bufferMs: 100 }));
    const lost: Discontinuity[] = [];
    gain.on('discontinuity', (one) => lost.push(one));
    const chunks = gain.chunks();
    await event(gain, 'finish');
    let frames = 0;
    for await (const chunk of chunks) frames += chunk.frames;
    expect(frames).toBe(400 * 48);
    // A busy machine may lose something besides.
    const overruns = lost.filter(({ reason, filled }) => reason === 'overrun' && filled);
    const lostFrames = overruns.reduce((sum, one) => sum + one.frames, 0);
    expect(lostFrames).toBeGreaterThan(150 * 48); // a queue has room for a power of two
    expect(gain.stats().readerLostFrames).toBe(lostFrames);
  });

  it.each([
    [{ chunkMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ chunkMs: 10, chunkFrames: 480 }, 'ERR_INVALID_ARG_VALUE'],
    [{ bufferMs: 5 }, 'ERR_OUT_OF_RANGE'],
  ])('cannot be %j', (options, code) => {
    expect(() => new Gain(options)).toThrow(expect.objectContaining({ code }));
  });
});
