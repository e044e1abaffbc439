// The rules of live pipes: pipe() between our own classes is a link inside the engine, and behaves like Node's
// pipe. On the simulated system with a manual clock: the assertions are exact.
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { beforeEach, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  Mixer,
  SpeakerSink,
  VirtualMicSink,
  type AudioError,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { findGaps, measureTone } from '../instruments/index.js';
import { block, event } from './wait.js';

let audio: SimulatedAudio;
beforeEach(() => {
  audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(997));
});

const mic = (options = {}) => new MicSource({ backend: audio, ...options });
const cable = (options = {}) =>
  new VirtualMicSink({ backend: audio, device: 'cable-input', ...options });

/** The cable's sound, left channel, from its first sound on. */
function heard(): Float32Array {
  const { data } = audio.device('cable-input').recorded();
  const left = data.filter((_, index) => index % 2 === 0);
  return left.subarray(left.findIndex((sample) => sample !== 0) + 480);
}

const gaps = (sound: Float32Array) => findGaps(sound, { sampleRate: 48000, frequency: 997 });

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('a link', () => {
  it('carries a source to a sink without JavaScript', async () => {
    const source = mic();
    const sink = cable();
    expect(source.pipe(sink)).toBe(sink);
    expect(source.stats().link).toEqual([{ to: 'VirtualMicSink', linked: true }]);
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    await audio.advance(1000);
    expect(source.readableFlowing).toBe(null);
    expect(gaps(heard())).toEqual([]);
    const { frequency, peakDb } = measureTone(heard(), 48000, 997);
    expect(frequency).toBeCloseTo(997, 1);
    expect(peakDb).toBeCloseTo(-12.04, 1);
    await sink.close();
    await source.close();
  });

  it('gives the same sound to the bit, whether the event loop runs or not', async () => {
    const play = async (disturb: boolean) => {
      audio = new SimulatedAudio({ clock: 'manual' });
      audio.device('mic').play(tone(997));
      audio.device('mic').drift(100);
      const source = mic();
      const mixer = new Mixer();
      const sink = cable();
      source.pipe(mixer.createInput());
      mixer.pipe(sink);
      if (disturb) source.on('data', () => {});
      await Promise.all([source.ready, sink.ready]);
      audio.device('cable-input').record();
      const done = audio.advance(2000);
      if (disturb) block(300);
      await done;
      const { data } = audio.device('cable-input').recorded();
      await Promise.all([sink.close(), source.close(), mixer.close()]);
      return Buffer.from(data.buffer);
    };
    const calm = await play(false);
    expect(calm.length).toBe(2000 * 48 * 8);
    expect((await play(true)).equals(calm)).toBe(true);
  });

  it('emits pipe and unpipe on its destination, and unpipe() stops it', async () => {
    const source = mic();
    const mixer = new Mixer();
    const input = mixer.createInput();
    const events: unknown[] = [];
    input.on('pipe', (from) => events.push(['pipe', from === source]));
    input.on('unpipe', (from) => events.push(['unpipe', from === source]));
    source.pipe(input);
    expect(events).toEqual([['pipe', true]]);
    source.unpipe(input);
    expect(events).toEqual([
      ['pipe', true],
      ['unpipe', true],
    ]);
    expect(source.stats().link).toEqual([]);
    expect(input.writableEnded).toBe(false);
    source.destroy();
    mixer.destroy();
  });

  it('is not stopped by pause(), nor by a reader that is slow', async () => {
    const source = mic();
    const sink = cable();
    source.pipe(sink);
    source.on('data', () => {});
    source.pause();
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    await audio.advance(3000);
    expect(gaps(heard())).toEqual([]);
    expect(heard().length).toBeGreaterThan(2.8 * 48000);
    source.destroy();
    sink.destroy();
  });

  it('ends its destination when the source is over, also with nobody reading or a paused reader', async () => {
    for (const paused of [false, true]) {
      const source = mic({ durationMs: 500 });
      const mixer = new Mixer();
      const input = mixer.createInput();
      source.pipe(input);
      mixer.resume();
      if (paused) {
        source.on('data', () => {});
        source.pause();
      }
      const finish = event(input, 'finish');
      await source.ready;
      await audio.advance(700);
      await finish;
      source.destroy();
    }
  });

  it.each(['a source', 'a mixer'])('ends a sink that opens only when %s is over', async (what) => {
    const stream = what === 'a mixer' ? new Mixer() : mic({ durationMs: 100 });
    stream.resume();
    if (what === 'a source') {
      await stream.ready;
      await audio.advance(200);
    }
    const sink = cable();
    stream.pipe(sink);
    await stream.close();
    const closed = event(sink, 'close');
    await sink.ready;
    await audio.advance(300);
    await closed;
    expect(sink.writableFinished).toBe(true);
  });

  it('lets a source without readers end', async () => {
    const source = mic({ durationMs: 100 });
    const mixer = new Mixer();
    mixer.resume();
    source.pipe(mixer.createInput());
    const ends = Promise.all([event(source, 'end'), event(source, 'close')]);
    await source.ready;
    await audio.advance(300);
    await ends;
  });

  it('serves several destinations, each at its own position', async () => {
    const source = mic({ bufferMs: 1000 });
    const sink = cable();
    source.pipe(sink);
    const fast: Buffer[] = [];
    source.pipe(
      new Writable({
        objectMode: true,
        write: (chunk: Buffer, _encoding, done) => {
          fast.push(chunk);
          done();
        },
      }),
    );
    let stuck = 0;
    source.pipe(new Writable({ objectMode: true, highWaterMark: 1, write: () => void stuck++ }));
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    for (let i = 0; i < 4; i++) await audio.advance(500);
    expect(stuck).toBe(1);
    expect(Buffer.concat(fast).length).toBeGreaterThanOrEqual(1990 * 48 * 8);
    expect(gaps(heard())).toEqual([]);
    const links = source.stats().link;
    expect(links.map(({ linked }) => linked)).toEqual([true, false, false]);
    expect(links[1].reason).toBeTruthy();
    source.destroy();
    sink.destroy();
  });

  it('gives a later reader the newest audio, and its position', async () => {
    const source = mic();
    const sink = cable();
    source.pipe(sink);
    await Promise.all([source.ready, sink.ready]);
    await audio.advance(500);
    const chunk = event<Buffer>(source, 'data');
    source.on('data', () => {});
    await tick();
    await audio.advance(100);
    await chunk;
    expect(source.firstFrame).toBeGreaterThan(400 * 48);
    expect(source.firstFrame).toBeLessThanOrEqual(510 * 48);
    source.destroy();
    sink.destroy();
  });

  it('resolves with pipeline() when the source has ended and all of it was heard', async () => {
    const source = mic({ durationMs: 400 });
    const sink = cable();
    await sink.ready;
    audio.device('cable-input').record();
    let settled = false;
    const done = pipeline(source, sink).then(() => (settled = true));
    await source.ready;
    for (let i = 0; i < 20 && !settled; i++) await audio.advance(100);
    await done;
    expect(sink.writableFinished).toBe(true);
    const sound = heard();
    // 400 ms less the 10 that heard() leaves out and up to 30 before the link began. The 20 ms that the sink still
    // had when the source ended would be missed.
    expect(sound.filter((sample) => sample !== 0).length).toBeGreaterThan(0.355 * 48000);
  });

  it('rejects with pipeline() when the source fails, and removes the input but not the mix', async () => {
    const source = mic({ recover: false });
    const mixer = new Mixer();
    mixer.resume();
    const closed = event<{ error: AudioError }>(mixer, 'inputClose');
    const rejected = expect(pipeline(source, mixer.createInput())).rejects.toMatchObject({
      code: 'ERR_AUDIO_DEVICE_LOST',
    });
    await source.ready;
    await audio.advance(200);
    audio.device('mic').unplug();
    await audio.advance(100);
    await rejected;
    expect((await closed).error.code).toBe('ERR_AUDIO_DEVICE_LOST');
    expect(mixer.destroyed).toBe(false);
    expect(mixer.readableEnded).toBe(false);
    mixer.destroy();
  });

  it('keeps its counters after its end', async () => {
    const source = mic();
    const sink = cable();
    source.pipe(sink);
    await Promise.all([source.ready, sink.ready]);
    await audio.advance(500);
    audio.device('mic').stall();
    await audio.advance(200);
    const during = sink.stats();
    expect(during.starvedFrames).toBeGreaterThan(0);
    source.unpipe(sink);
    expect(sink.stats()).toMatchObject({
      starvations: during.starvations,
      starvedFrames: during.starvedFrames,
    });
    await Promise.all([source.close(), sink.close()]);
  });

  it('is rejected if it would return to its mixer', async () => {
    const a = new Mixer();
    const b = new Mixer();
    const source = mic();
    source.pipe(a.createInput());
    a.pipe(b.createInput());
    expect(() => b.pipe(a.createInput())).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_GRAPH_CYCLE' }),
    );
    expect(() => a.pipe(a.createInput())).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_GRAPH_CYCLE' }),
    );
    for (const one of [source, a, b]) one.destroy();
    await tick();
  });

  it('is the only one of an input or a sink, and the error for a second one names Mixer', () => {
    const source = mic();
    const mixer = new Mixer();
    const input = mixer.createInput();
    source.pipe(input);
    expect(() => mic().pipe(input)).toThrow(/Mixer/);
    const sink = cable();
    source.pipe(sink);
    expect(() => mic().pipe(sink)).toThrow(/Mixer/);
    for (const one of [source, mixer, sink]) one.destroy();
  });

  it('rejects written bytes', async () => {
    const sink = cable();
    mic().pipe(sink);
    const failed = event<Error>(sink, 'error');
    sink.write(Buffer.alloc(8));
    expect((await failed).message).toMatch(/Mixer/);
  });

  it('is not made with a subclass, which may read the bytes', async () => {
    class Watched extends MicSource {}
    const source = new Watched({ backend: audio });
    const mixer = new Mixer();
    const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    source.pipe(mixer.createInput({ format }));
    expect(source.stats().link[0]).toMatchObject({ linked: false });
    expect(source.stats().link[0].reason).toMatch(/Watched/);
    source.destroy();
    mixer.destroy();
    await tick();
  });
});

describe('a mixer', () => {
  it('sums its live inputs with their gains when the sink pulls', async () => {
    audio.device('speakers').play(tone(443));
    const source = mic();
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    const sink = cable();
    source.pipe(mixer.createInput({ gain: 0.5 }));
    loopback.pipe(mixer.createInput());
    mixer.pipe(sink);
    await Promise.all([source.ready, loopback.ready, sink.ready]);
    audio.device('cable-input').record();
    await audio.advance(2000);
    const sound = heard().subarray(4800);
    expect(measureTone(sound, 48000, 997).peakDb).toBeCloseTo(-18.06, 1);
    expect(measureTone(sound, 48000, 443).peakDb).toBeCloseTo(-12.04, 1);
    expect(mixer.stats().inputs.every(({ starvations }) => starvations === 0)).toBe(true);
    for (const one of [source, loopback, mixer, sink]) one.destroy();
  });

  it('follows drifting clocks without a gap and reports their ppm', async () => {
    audio.device('mic').drift(150);
    const source = mic();
    const mixer = new Mixer();
    const input = mixer.createInput();
    const sink = cable();
    source.pipe(input);
    mixer.pipe(sink);
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    for (let i = 0; i < 20; i++) await audio.advance(1000);
    expect(input.stats().driftPpm).toBeCloseTo(150, 0);
    expect(input.stats().starvations).toBe(0);
    expect(input.stats().resyncs).toBe(0);
    expect(gaps(heard().subarray(48000))).toEqual([]);
    for (const one of [source, mixer, sink]) one.destroy();
  });

  it('mixes a stalled input as silence, and aligns it when it continues', async () => {
    audio.device('speakers').play(tone(443));
    const source = mic();
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    const sink = cable();
    const input = mixer.createInput();
    source.pipe(input);
    loopback.pipe(mixer.createInput());
    mixer.pipe(sink);
    await Promise.all([source.ready, loopback.ready, sink.ready]);
    audio.device('cable-input').record();
    await audio.advance(1000);
    audio.device('mic').stall();
    await audio.advance(1000);
    audio.device('mic').resume();
    await audio.advance(2000);
    const sound = heard();
    const { peakDb } = measureTone(sound, 48000, 443);
    expect(peakDb).toBeCloseTo(-12.04, 0);
    expect(measureTone(sound.subarray(-48000), 48000, 997).peakDb).toBeCloseTo(-12.04, 1);
    expect(input.stats().starvations).toBeGreaterThan(0);
    expect(audio.device('cable-input').recorded().gaps).toEqual([]);
    for (const one of [source, loopback, mixer, sink]) one.destroy();
  });

  it('runs by a clock without a sink, and JavaScript only reads', async () => {
    const source = mic();
    const mixer = new Mixer();
    source.pipe(mixer.createInput());
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await source.ready;
    // In steps that the reader's buffer holds.
    for (let step = 0; step < 4; step++) await audio.advance(500);
    const bytes = Buffer.concat(chunks).length;
    expect(bytes).toBeGreaterThan(1900 * 48 * 8);
    expect(chunks.every((chunk) => chunk.length === 480 * 8)).toBe(true);
    source.destroy();
    mixer.destroy();
  });

  it('continues when its sink is removed, and the next sink takes it over', async () => {
    const source = mic();
    const mixer = new Mixer();
    const first = new SpeakerSink({ backend: audio, device: 'speakers' });
    source.pipe(mixer.createInput());
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    mixer.pipe(first);
    await Promise.all([source.ready, first.ready]);
    await audio.advance(500);
    first.destroy();
    await event(first, 'close');
    await audio.advance(500);
    const second = cable();
    mixer.pipe(second);
    await second.ready;
    audio.device('cable-input').record();
    await audio.advance(1000);
    expect(gaps(heard())).toEqual([]);
    expect(Buffer.concat(chunks).length).toBeGreaterThan(1800 * 48 * 8);
    for (const one of [source, mixer, second]) one.destroy();
  });

  it('feeds two sinks at once', async () => {
    const source = mic();
    const mixer = new Mixer();
    const one = cable();
    const two = new SpeakerSink({ backend: audio, device: 'speakers' });
    source.pipe(mixer.createInput());
    mixer.pipe(one);
    mixer.pipe(two);
    await Promise.all([source.ready, one.ready, two.ready]);
    audio.device('cable-input').record();
    audio.device('speakers').record();
    await audio.advance(2000);
    expect(gaps(heard())).toEqual([]);
    const other = audio
      .device('speakers')
      .recorded()
      .data.filter((_, i) => i % 2 === 0);
    const sound = other.subarray(other.findIndex((sample) => sample !== 0) + 4800);
    expect(gaps(sound)).toEqual([]);
    for (const stream of [source, mixer, one, two]) stream.destroy();
  });

  // Once for each build of the engine: no server has a part in it. The build for Windows runs a tenth.
  const system = process.env.PATCHCORD_TEST_BACKEND ?? 'simulated';
  const minutes = system === 'wasapi' ? 6 : 60;
  it.skipIf(/^(pulse|pipewire)$/.test(system))(
    `runs ${minutes} simulated minutes twice with identical bytes`,
    { timeout: 120_000 },
    async () => {
      const run = async () => {
        const { createHash } = await import('node:crypto');
        const hash = createHash('sha256');
        audio = new SimulatedAudio({ clock: 'manual', startTime: 1_000_000_000n });
        audio.device('mic').play(tone(997));
        audio.device('speakers').play(tone(443));
        audio.device('mic').drift(120);
        audio.device('speakers').drift(-80);
        const format = { sampleRate: 16000, channels: 1, sampleFormat: 's16' } as const;
        const source = mic(format);
        const loopback = new LoopbackSource({ backend: audio, ...format });
        const mixer = new Mixer({ ...format, chunkMs: 1000, bufferMs: 20_000 });
        let bytes = 0;
        mixer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          hash.update(chunk);
        });
        // Before the mix runs: a reader begins at the live edge.
        await tick();
        source.pipe(mixer.createInput());
        loopback.pipe(mixer.createInput());
        await Promise.all([source.ready, loopback.ready]);
        for (let i = 0; i < 6 * minutes; i++) await audio.advance(10_000);
        const { readerLostFrames, inputs } = mixer.stats();
        expect(readerLostFrames).toBe(0);
        expect(inputs.every(({ starvations, resyncs }) => !starvations && !resyncs)).toBe(true);
        for (const one of [source, loopback, mixer]) one.destroy();
        return { bytes, digest: hash.digest('hex') };
      };
      const first = await run();
      expect(first.bytes).toBeGreaterThan((60 * minutes - 2) * 32000);
      expect(await run()).toEqual(first);
    },
  );
});

describe('a pipe that is no link', () => {
  it('behaves as in Node: backpressure, end, errors, events', async () => {
    const source = mic({ durationMs: 300 });
    const through = new PassThrough();
    const seen: string[] = [];
    through.on('pipe', (from) => seen.push(from === source ? 'pipe' : 'wrong'));
    source.pipe(through);
    let bytes = 0;
    through.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await source.ready;
    const end = event(through, 'end');
    await audio.advance(500);
    await end;
    expect(bytes).toBe(300 * 48 * 8);
    expect(seen).toEqual(['pipe']);
  });
});
