// Transforms in live paths: linked like everything else, and the same kernels behind bytes that are
// written. On the simulated system with a manual clock: the assertions are exact.
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { beforeEach, describe, expect, it } from 'vitest';

import {
  Gain,
  LevelMeter,
  LoopbackSource,
  LoudnessNormalizer,
  Limiter,
  MicSource,
  Mixer,
  Resampler,
  SpeakerSink,
  VirtualMicSink,
  type AudioError,
  type AudioTransform,
  type LevelReport,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { findGaps, measureTone, randomPortions, seededRandom } from '../instruments/index.js';
import { block, event } from './wait.js';

let audio: SimulatedAudio;
beforeEach(() => {
  audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(997));
});

const mic = (options = {}) => new MicSource({ backend: audio, ...options });
const cable = (options = {}) =>
  new VirtualMicSink({ backend: audio, device: 'cable-input', ...options });

/** An output's sound, left channel, from its first sound on. */
function heard(device = 'cable-input'): Float32Array {
  const { data } = audio.device(device).recorded();
  const left = data.filter((_, index) => index % 2 === 0);
  return left.subarray(left.findIndex((sample) => sample !== 0) + 960);
}

const gaps = (sound: Float32Array) => findGaps(sound, { sampleRate: 48000, frequency: 997 });
const linkOf = (stream: { stats(): object }) => (stream.stats() as { link: object[] }).link;

describe('a transform in a live path', () => {
  const chains: [string, () => AudioTransform[]][] = [
    ['Gain', () => [new Gain({ gain: 0.5 })]],
    ['Limiter', () => [new Limiter()]],
    ['LevelMeter', () => [new LevelMeter()]],
    ['LoudnessNormalizer', () => [new LoudnessNormalizer({ maxGainDb: 0, targetLufs: -5 })]],
    ['Resampler', () => [new Resampler({ sampleRate: 44100, channels: 1 })]],
    [
      'all of them',
      () => [
        new Gain({ gain: 0.5 }),
        new Limiter({ ceilingDb: -3 }),
        new LevelMeter(),
        new Resampler({ sampleRate: 16000 }),
      ],
    ],
  ];

  it.each(chains)('carries the sound without JavaScript: %s', async (name, make) => {
    const chain = make();
    const source = mic();
    const mixer = new Mixer();
    const sink = cable();
    let last: MicSource | AudioTransform = source;
    for (const transform of chain) last = last.pipe(transform);
    last.pipe(mixer.createInput());
    mixer.pipe(sink);
    for (const stream of [source, ...chain])
      expect(linkOf(stream)[0]).toMatchObject({ linked: true });
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    const done = audio.advance(2000);
    block(100);
    await done;
    const sound = heard();
    expect(sound.length).toBeGreaterThan(48000 * 1.8);
    expect(gaps(sound)).toEqual([]);
    const { frequency, peakDb } = measureTone(sound, 48000, 997);
    expect(frequency).toBeCloseTo(997, 1);
    const halved = name === 'Gain' || name === 'all of them';
    expect(peakDb).toBeCloseTo(halved ? -18.06 : -12.04, 1);
    for (const stream of [sink, source, mixer]) await stream.close();
  });

  it('gives the same sound to the bit, whether the event loop runs or not', async () => {
    const play = async (disturb: boolean) => {
      audio = new SimulatedAudio({ clock: 'manual' });
      audio.device('mic').play(tone(997, { gain: 0.7 }));
      audio.device('mic').drift(100);
      const source = mic();
      const limiter = new Limiter({ ceilingDb: -6 });
      const mixer = new Mixer();
      const sink = cable();
      source
        .pipe(new Resampler({ sampleRate: 44100 }))
        .pipe(limiter)
        .pipe(mixer.createInput());
      mixer.pipe(sink);
      if (disturb) limiter.on('data', () => {});
      await Promise.all([source.ready, sink.ready]);
      audio.device('cable-input').record();
      const done = audio.advance(3000);
      if (disturb) block(2000);
      await done;
      const { data } = audio.device('cable-input').recorded();
      for (const stream of [sink, source, mixer]) await stream.close();
      return Buffer.from(data.buffer);
    };
    const calm = await play(false);
    expect(calm.length).toBe(3000 * 48 * 8);
    expect((await play(true)).equals(calm)).toBe(true);
  });

  it('can be piped on before anything is piped into it', async () => {
    const source = mic();
    const gain = new Gain();
    const limiter = new Limiter();
    const mixer = new Mixer();
    const sink = cable();
    limiter.pipe(mixer.createInput());
    gain.pipe(limiter);
    source.pipe(gain);
    mixer.pipe(sink);
    for (const stream of [source, gain, limiter]) {
      expect(linkOf(stream)[0]).toMatchObject({ linked: true });
    }
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    await audio.advance(1000);
    expect(gaps(heard())).toEqual([]);
    for (const stream of [sink, source, mixer]) await stream.close();
  });

  it('is read while it is linked, also by a read from before the path was live', async () => {
    const source = mic({ durationMs: 500 });
    const gain = new Gain({ gain: 0.5 });
    const through = new PassThrough();
    const sizes = new Set<number>();
    let read = 0;
    let copied = 0;
    gain.on('data', (chunk: Buffer) => {
      sizes.add(chunk.length);
      read += chunk.length;
    });
    through.on('data', (chunk: Buffer) => (copied += chunk.length));
    gain.pipe(through);
    source.pipe(gain);
    await source.ready;
    const ends = Promise.all([event(gain, 'end'), event(through, 'end')]);
    await audio.advance(800);
    await ends;
    expect(read).toBe(500 * 48 * 8);
    expect(copied).toBe(500 * 48 * 8);
    expect([...sizes]).toEqual([480 * 8]);
    expect(gain.stats()).toMatchObject({ framesIn: 24000, framesOut: 24000, readerLostFrames: 0 });
  });

  it.each([
    [16000, 333 * 16],
    [44100, Math.round(333 * 44.1)],
    [96000, 333 * 96],
  ])('ends with exactly the right length at %d Hz', async (sampleRate, frames) => {
    const source = mic({ durationMs: 333 });
    const converted = new Resampler({ sampleRate, channels: 1, sampleFormat: 's16' });
    source.pipe(converted);
    let bytes = 0;
    converted.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await source.ready;
    const end = event(converted, 'end');
    await audio.advance(600);
    await end;
    expect(bytes).toBe(frames * 2);
  });

  it('closes when its source is over, with nobody reading', async () => {
    const source = mic({ durationMs: 100 });
    const gain = new Gain();
    const mixer = new Mixer();
    mixer.resume();
    source.pipe(gain).pipe(mixer.createInput());
    const all = ['finish', 'end', 'close'].map((name) => event(gain, name));
    const mixed = event(mixer, 'end');
    await source.ready;
    await audio.advance(400);
    await Promise.all(all);
    await mixed;
  });

  it('under pipeline() is played to its end', async () => {
    const source = mic({ durationMs: 300 });
    const sink = cable();
    const done = pipeline(source, new Gain({ gain: 0.5 }), new Limiter(), sink);
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    let over = false;
    void done.then(() => (over = true));
    for (let i = 0; i < 100 && !over; i++) await audio.advance(20);
    await done;
    expect(sink.writableFinished).toBe(true);
    expect(heard().length).toBeGreaterThan(0.2 * 48000);
  });

  it('under pipeline() rejects when the source fails', async () => {
    const source = mic({ recover: false });
    const mixer = new Mixer();
    mixer.resume();
    const gain = new Gain();
    const rejected = expect(pipeline(source, gain, mixer.createInput())).rejects.toMatchObject({
      code: 'ERR_AUDIO_DEVICE_LOST',
    });
    await source.ready;
    audio.device('mic').unplug();
    await audio.advance(100);
    await rejected;
    expect(gain.destroyed).toBe(true);
    mixer.destroy();
  });

  it('carries times: its frames were heard when those of the source were', async () => {
    const source = mic();
    const gain = new Gain();
    const converted = new Resampler({ sampleRate: 16000 });
    source.pipe(gain).pipe(converted);
    await source.ready;
    await audio.advance(1000);
    for (const frame of [0, 4800, 16000]) {
      expect(Number(gain.timeAt(frame) - source.timeAt(frame))).toBeCloseTo(0, -3);
      expect(Number(converted.timeAt(frame) - source.timeAt(frame * 3))).toBeCloseTo(0, -3);
      expect(converted.frameAt(source.timeAt(frame * 3))).toBeCloseTo(frame, 1);
    }
    await source.close();
  });

  it('is taken out and put back while it runs', async () => {
    const source = mic();
    const gain = new Gain({ gain: 0.5 });
    const mixer = new Mixer();
    const sink = cable();
    const input = mixer.createInput();
    source.pipe(gain).pipe(input);
    mixer.pipe(sink);
    await Promise.all([source.ready, sink.ready]);
    await audio.advance(500);
    gain.unpipe(input);
    source.unpipe(gain);
    expect(source.stats().link).toEqual([]);
    expect(gain.stats().link).toEqual([]);
    source.pipe(input);
    await audio.advance(500);
    source.unpipe(input);
    source.pipe(gain).pipe(input);
    await audio.advance(200);
    audio.device('cable-input').record();
    await audio.advance(500);
    expect(gaps(heard())).toEqual([]);
    expect(measureTone(heard(), 48000, 997).peakDb).toBeCloseTo(-18.06, 1);
    for (const stream of [sink, source, mixer]) await stream.close();
  });

  it('serves several destinations, and one that goes does not disturb the others', async () => {
    const source = mic();
    const gain = new Gain();
    const mixers = [new Mixer(), new Mixer()];
    const sinks = [cable(), new SpeakerSink({ backend: audio, device: 'speakers' })];
    source.pipe(gain);
    mixers.forEach((mixer, i) => {
      gain.pipe(mixer.createInput());
      mixer.pipe(sinks[i] as SpeakerSink);
    });
    await Promise.all([source.ready, ...sinks.map((sink) => sink.ready)]);
    for (const id of ['cable-input', 'speakers']) audio.device(id).record();
    await audio.advance(500);
    await sinks[1]?.close();
    await audio.advance(500);
    expect(gaps(heard())).toEqual([]);
    for (const stream of [sinks[0], source, ...mixers]) await stream?.close();
  });

  it('destroyed in the middle leaves its source running', async () => {
    const source = mic();
    const gain = new Gain();
    const mixer = new Mixer();
    mixer.resume();
    source.pipe(gain).pipe(mixer.createInput());
    await source.ready;
    await audio.advance(100);
    gain.destroy();
    await event(gain, 'close');
    await audio.advance(100);
    expect(source.destroyed).toBe(false);
    expect(source.stats().link).toEqual([]);
    await source.close();
    mixer.destroy();
  });

  it('hides no feedback of streams that are piped into it later', async () => {
    const gain = new Gain();
    const speaker = new SpeakerSink({ backend: audio, device: 'speakers' });
    const source = mic();
    source.pipe(gain).pipe(speaker);
    await Promise.all([source.ready, speaker.ready]);
    source.unpipe(gain);
    const loopback = new LoopbackSource({ backend: audio, device: 'speakers' });
    const failed = event<AudioError>(speaker, 'error');
    loopback.pipe(gain);
    expect((await failed).code).toBe('ERR_AUDIO_FEEDBACK');
    await Promise.all([source.close(), loopback.close(), gain.close()]);
  });

  it('refuses cycles, a second stream, and bytes beside a link', async () => {
    const source = mic();
    const [a, b] = [new Gain(), new Limiter()];
    source.pipe(a);
    a.pipe(b);
    expect(() => b.pipe(a)).toThrow(expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }));
    source.unpipe(a);
    expect(() => b.pipe(a)).toThrow(expect.objectContaining({ code: 'ERR_AUDIO_GRAPH_CYCLE' }));
    source.pipe(a);
    expect(() => mic().pipe(a)).toThrow(/second stream/);
    const failed = event<AudioError>(a, 'error');
    a.write(Buffer.alloc(8));
    expect((await failed).code).toBe('ERR_AUDIO_UNSUPPORTED');
    source.destroy();
    b.destroy();
  });

  it('that is a subclass sees every byte', async () => {
    class Mine extends Gain {
      bytes = 0;
      override _transform(...args: Parameters<Gain['_transform']>): void {
        this.bytes += args[0].length;
        super._transform(...args);
      }
    }
    const source = mic({ durationMs: 100 });
    const mine = new Mine();
    source.pipe(mine);
    expect(linkOf(source)[0]).toMatchObject({ linked: false, reason: 'Mine is a subclass' });
    mine.resume();
    await source.ready;
    const end = event(mine, 'end');
    await audio.advance(300);
    await end;
    expect(mine.bytes).toBe(100 * 48 * 8);
  });

  it('that measures reports what passes, also in the engine', async () => {
    const source = mic();
    const meter = new LevelMeter({ intervalMs: 50 });
    const mixer = new Mixer();
    mixer.resume();
    const reports: LevelReport[] = [];
    meter.on('level', (report) => reports.push(report));
    source.pipe(meter).pipe(mixer.createInput());
    await source.ready;
    for (let i = 0; i < 40; i++) await audio.advance(50);
    expect(reports.length).toBeGreaterThan(35);
    expect(reports.length).toBeLessThanOrEqual(41);
    const last = reports.at(-1) as LevelReport;
    expect(last.peakDb).toBeCloseTo(-12.04, 1);
    expect(last.truePeakDb).toBeCloseTo(-12.04, 1);
    expect(last.momentaryLufs).toBeCloseTo(-12.04, 0);
    expect(last.channels).toHaveLength(2);
    await source.close();
    await mixer.close();
  });

  it('keeps its length through silence', async () => {
    const source = mic();
    const gain = new Gain();
    const mixer = new Mixer();
    mixer.resume();
    source
      .pipe(gain)
      .pipe(new Resampler({ sampleRate: 44100 }))
      .pipe(mixer.createInput());
    await source.ready;
    source.enabled = false;
    await audio.advance(5000);
    source.enabled = true;
    await audio.advance(100);
    expect(gain.stats().framesIn).toBe(gain.stats().framesOut);
    expect(Math.abs(source.stats().frames - gain.stats().framesOut)).toBeLessThan(960);
    await source.close();
    await mixer.close();
  });
});

describe('a transform of written bytes', () => {
  const from = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
  const random = seededRandom(7);
  const samples = Float32Array.from({ length: 2 * 20_011 }, () => random() * 4 - 2);
  const bytes = Buffer.from(samples.buffer);

  async function through(transform: AudioTransform, portions: Buffer[]) {
    const out: Buffer[] = [];
    transform.on('data', (chunk: Buffer) => out.push(chunk));
    const end = event(transform, 'end');
    for (const portion of portions) transform.write(portion);
    transform.end();
    await end;
    return Buffer.concat(out);
  }

  it.each([
    ['Gain', () => new Gain({ from, gain: 0.5 })],
    ['Limiter', () => new Limiter({ from })],
    ['LevelMeter', () => new LevelMeter({ from })],
    ['LoudnessNormalizer', () => new LoudnessNormalizer({ from })],
    ['Resampler', () => new Resampler({ from, sampleRate: 44100 })],
  ])('gives the same bytes however it is cut: %s', async (_name, make) => {
    const whole = await through(make(), [bytes]);
    const frames = _name === 'Resampler' ? Math.round((20_011 * 441) / 480) : 20_011;
    expect(whole.length).toBe(frames * 8);
    for (const seed of [1, 2, 3]) {
      const cut = await through(make(), randomPortions(bytes, seededRandom(seed)));
      expect(cut.equals(whole)).toBe(true);
    }
  });

  it('Gain multiplies, Limiter keeps what is below its ceiling bit for bit and nothing is above it', async () => {
    const halved = await through(new Gain({ from, gain: 0.5 }), [bytes]);
    expect(new Float32Array(halved.buffer, halved.byteOffset, 100)).toEqual(
      samples.subarray(0, 100).map((sample) => sample / 2),
    );
    const quiet = Buffer.from(samples.map((sample) => sample / 4).buffer);
    expect((await through(new Limiter({ from }), [quiet])).equals(quiet)).toBe(true);
    const limiter = new Limiter({ from, ceilingDb: -6 });
    const limited = await through(limiter, [bytes]);
    const floats = new Float32Array(limited.buffer, limited.byteOffset, limited.length / 4);
    expect(Math.max(...floats.map(Math.abs))).toBeLessThanOrEqual(10 ** (-6 / 20) * 1.000001);
    expect(limiter.stats().lowestGain).toBeLessThan(0.3);
  });

  it('LevelMeter reports every interval, however the input is cut', async () => {
    const sine = Float32Array.from(
      { length: 2 * 48000 },
      (_, i) => 0.5 * Math.sin((2 * Math.PI * 997 * Math.floor(i / 2)) / 48000),
    );
    const sound = Buffer.from(sine.buffer);
    for (const portions of [[sound], randomPortions(sound, seededRandom(5))]) {
      const meter = new LevelMeter({ from });
      const reports: LevelReport[] = [];
      meter.on('level', (report) => reports.push(report));
      expect((await through(meter, portions)).equals(sound)).toBe(true);
      expect(reports.map(({ frame }) => frame)).toEqual(
        Array.from({ length: 10 }, (_, i) => (i + 1) * 4800),
      );
      const last = reports.at(-1) as LevelReport;
      expect(last.peakDb).toBeCloseTo(-6.02, 2);
      expect(last.rmsDb).toBeCloseTo(-9.03, 2);
      expect(last.truePeakDb).toBeCloseTo(-6.02, 1);
      // 997 Hz at full scale in one of two channels is -3.01 LUFS.
      expect(last.momentaryLufs).toBeCloseTo(-6.02, 1);
      expect(last.integratedLufs).toBeCloseTo(-6.02, 1);
    }
  });

  it('LoudnessNormalizer brings a quiet voice and a loud one to one loudness', async () => {
    for (const level of [0.02, 0.7]) {
      const voice = Float32Array.from({ length: 2 * 48000 * 20 }, (_, i) => {
        const second = Math.floor(i / 2) / 48000;
        return second % 1 < 0.6 ? level * Math.sin(2 * Math.PI * 997 * second) : 0;
      });
      const normalizer = new LoudnessNormalizer({ from });
      const meter = new LevelMeter({ from });
      normalizer.pipe(meter);
      meter.resume();
      const end = event(meter, 'end');
      normalizer.end(Buffer.from(voice.buffer));
      await end;
      expect(meter.level().shortTermLufs).toBeGreaterThan(-21.5);
      expect(meter.level().shortTermLufs).toBeLessThan(-16.5);
      expect(meter.level().maxTruePeakDb).toBeLessThan(0.1);
      expect(Math.sign(normalizer.stats().gainDb)).toBe(level < 0.1 ? 1 : -1);
    }
  });

  it('a gain that is changed arrives without a click', async () => {
    const gain = new Gain({ from, gain: 1 });
    const ones = Buffer.from(new Float32Array(2 * 4800).fill(1).buffer);
    const out: Buffer[] = [];
    gain.on('data', (chunk: Buffer) => out.push(chunk));
    gain.write(ones);
    gain.setGain(0, { rampMs: 50 });
    gain.end(ones);
    await event(gain, 'end');
    const all = Buffer.concat(out);
    const floats = new Float32Array(all.buffer.slice(all.byteOffset, all.byteOffset + all.length));
    const left = floats.filter((_, index) => index % 2 === 0);
    let step = 0;
    for (let i = 1; i < left.length; i++) {
      step = Math.max(step, Math.abs(left[i] - left[i - 1]));
    }
    expect(left[0]).toBe(1);
    expect(left.at(-1)).toBe(0);
    expect(step).toBeLessThan(0.001);
  });
});
