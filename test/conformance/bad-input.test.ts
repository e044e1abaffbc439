// Input that an app should not give, and may give: samples that are not numbers, formats that change, streams
// in a circle, rates at the ends of the range. On the simulated system with a manual clock.
import { once } from 'node:events';
import { PassThrough, type Duplex } from 'node:stream';

import { beforeEach, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  Mixer,
  Resampler,
  VirtualMicSink,
  withFormat,
  type AudioError,
  type AudioFormat,
} from 'patchcord';
import { pcm, SimulatedAudio, tone } from 'patchcord/testing';

import { encodeSamples } from '../../lib/format/format.js';
import { measureTone, toFloat } from '../instruments/index.js';
import { event } from './wait.js';

let audio: SimulatedAudio;
beforeEach(() => {
  audio = new SimulatedAudio({ clock: 'manual' });
});

const stereo = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;

/** A stereo sine with every 50th sample spoilt, and what it should be taken for. */
function spoilt(frames: number): { spoilt: Float32Array; clean: Float32Array } {
  const clean = Float32Array.from({ length: 2 * frames }, (_, i) =>
    Math.fround(0.5 * Math.sin((2 * Math.PI * 1000 * (i >> 1)) / 48000)),
  );
  const bad = clean.map((sample, i) => (i % 50 ? sample : [NaN, Infinity, -Infinity][i % 3]));
  return { spoilt: bad, clean: clean.map((sample, i) => (i % 50 ? sample : 0)) };
}

const raw = (samples: Float32Array): Buffer => Buffer.from(samples.buffer);

async function collected(mixer: Mixer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(mixer, 'end');
  return Buffer.concat(chunks);
}

describe('samples that are no numbers', () => {
  it('are silence for a mixer, its limiter and its meter', async () => {
    const { spoilt: bad, clean } = spoilt(9600);
    const mixed = async (samples: Float32Array): Promise<[Buffer, object]> => {
      const mixer = new Mixer();
      const bytes = collected(mixer);
      mixer.createInput({ format: stereo, gain: 1.5 }).end(raw(samples));
      return [await bytes, mixer.level()];
    };
    const [expected, level] = await mixed(clean);
    expect(await mixed(bad)).toEqual([expected, level]);
    expect(level).toEqual({ peakDb: expect.closeTo(-2.5, 1), rmsDb: expect.closeTo(-5.6, 1) });
  });

  it('are silence if a device delivers them, and if a sink plays them', async () => {
    const { spoilt: bad } = spoilt(4800);
    audio.device('mic').play(pcm(bad, { channels: 2, loop: true }));
    const source = new MicSource({ backend: audio });
    const mixer = new Mixer();
    const sink = new VirtualMicSink({ backend: audio, device: 'cable-input' });
    source.pipe(mixer.createInput());
    mixer.pipe(sink);
    const chunks: Buffer[] = [];
    source.on('data', (chunk: Buffer) => chunks.push(chunk));
    await Promise.all([source.ready, sink.ready]);
    audio.device('cable-input').record();
    for (let step = 0; step < 2; step++) await audio.advance(500);
    const { data } = audio.device('cable-input').recorded();
    const played = data.filter((_, index) => index % 2 === 0);
    for (const sound of [played, ...toFloat(Buffer.concat(chunks), stereo)]) {
      expect(sound.every((sample) => Number.isFinite(sample))).toBe(true);
      // A fiftieth of it is missing.
      expect(measureTone(sound.subarray(-24_000), 48000, 1000).peakDb).toBeCloseTo(-6.1, 0);
    }
    for (const { peakDb, rmsDb } of [source.level(), mixer.level(), sink.level()]) {
      expect(Math.abs(peakDb + 5.7)).toBeLessThan(0.5);
      expect(Math.abs(rmsDb + 9.1)).toBeLessThan(0.2);
    }
    for (const one of [source, mixer, sink]) one.destroy();
  });
});

describe('rates at the ends of the range', () => {
  it.each([
    [8000, 384000],
    [384000, 8000],
  ])('a device of %i Hz is heard at %i Hz, straight and through a mixer', async (device, rate) => {
    const format = { ...stereo, sampleRate: device, channels: 1 };
    audio = new SimulatedAudio({
      clock: 'manual',
      devices: [{ id: 'odd', flow: 'input', format, defaultConsole: true }],
    });
    audio.device('odd').play(tone(997));
    const source = new MicSource({ backend: audio, sampleRate: rate, channels: 1 });
    const native = new MicSource({ backend: audio, sampleRate: device, channels: 1 });
    const mixer = new Mixer({ sampleRate: rate, channels: 1 });
    native.pipe(mixer.createInput());
    const heard = [source, mixer].map((stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      return chunks;
    });
    await Promise.all([source.ready, native.ready]);
    for (let i = 0; i < 10; i++) await audio.advance(100);
    for (const chunks of heard) {
      const [sound] = toFloat(Buffer.concat(chunks), { ...format, sampleRate: rate });
      const { frequency, peakDb } = measureTone(sound.subarray(-rate / 2), rate, 997);
      expect(frequency).toBeCloseTo(997, 0);
      expect(peakDb).toBeCloseTo(-12.04, 1);
    }
    for (const one of [source, native, mixer]) one.destroy();
  });

  it('are rejected with an error beyond it', () => {
    for (const sampleRate of [7999, 384_001, 3_072_000]) {
      const range = /sampleRate.*>= 8000 && <= 384000/;
      expect(() => new MicSource({ backend: audio, sampleRate })).toThrow(range);
      expect(() => new Mixer({ sampleRate })).toThrow(range);
      expect(() => new Resampler({ sampleRate })).toThrow(range);
      expect(() => withFormat(new PassThrough(), { ...stereo, sampleRate })).toThrow(range);
      const format = { ...stereo, sampleRate };
      expect(() => new Mixer().createInput({ format })).toThrow(range);
    }
  });
});

describe('a format that changes upstream', () => {
  const sinks: [string, () => Duplex | NodeJS.WritableStream][] = [
    ['Resampler', () => new Resampler({ sampleRate: 16000 }).resume()],
    ['MixerInput', () => new Mixer().resume().createInput()],
    ['VirtualMicSink', () => new VirtualMicSink({ backend: audio, device: 'cable-input' })],
  ];
  it.each(sinks)('is rejected by a %s with an error that names both', async (name, make) => {
    const destination = make() as NodeJS.WritableStream;
    const piped = async (format: AudioFormat): Promise<void> => {
      const source = withFormat(new PassThrough(), format);
      source.pipe(destination, { end: false });
      source.end(encodeSamples(new Float32Array(960 * format.channels), format.sampleFormat));
      await once(source, 'end');
      source.unpipe(destination);
    };
    const failed = event<AudioError>(destination, 'error');
    await piped(stereo);
    await piped(stereo);
    await piped({ ...stereo, sampleRate: 44100 });
    const error = await failed;
    expect(error.code).toBe('ERR_AUDIO_FORMAT_UNSUPPORTED');
    expect(error.message).toMatch(new RegExp(`44100 Hz.*${name}.*48000 Hz`));
  });
});

describe('streams in a cycle', () => {
  const cycle = expect.objectContaining({ code: 'ERR_AUDIO_GRAPH_CYCLE' });

  it('are rejected by the pipe() that closes the cycle', () => {
    const mixer = new Mixer();
    const narrow = new Resampler({ sampleRate: 16000 });
    const input = mixer.createInput();
    mixer.pipe(narrow);
    expect(() => narrow.pipe(input)).toThrow(cycle);

    const other = new Mixer();
    const wide = new Resampler();
    wide.pipe(other.createInput());
    expect(() => other.pipe(wide)).toThrow(cycle);
    for (const one of [mixer, narrow, input, other, wide]) expect(one.destroyed).toBe(false);
    for (const one of [mixer, narrow, other, wide]) one.destroy();
  });

  it('are rejected among transforms, also of one with itself', () => {
    const [a, b] = [new Resampler(), new Resampler()];
    a.pipe(b);
    expect(() => b.pipe(a)).toThrow(cycle);
    const alone = new Resampler();
    expect(() => alone.pipe(alone)).toThrow(cycle);
    for (const one of [a, b, alone]) one.destroy();
  });
});

describe('a live input that is closed in the middle of a ramp', () => {
  it('ends without a click, and the others continue', async () => {
    // At its peak where the engine's periods end.
    audio.device('mic').play(tone(500, { phase: Math.PI / 2 }));
    audio.device('speakers').play(tone(443));
    const source = new MicSource({ backend: audio });
    const loopback = new LoopbackSource({ backend: audio });
    const mixer = new Mixer();
    const input = mixer.createInput();
    source.pipe(input);
    loopback.pipe(mixer.createInput());
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await Promise.all([source.ready, loopback.ready]);
    await audio.advance(500);
    input.setGain(0.5, { rampMs: 400 });
    await audio.advance(203);
    await input.close();
    await audio.advance(500);
    const [sound] = toFloat(Buffer.concat(chunks), stereo);
    const steady = sound.subarray(4800);
    // A jump shows whole in the second difference; a fade leaves a corner, no sharper than the sine is
    // steep: 0.25 x 2 pi 500 / 48000.
    let sharpest = 0;
    for (let i = 2; i < steady.length; i++) {
      sharpest = Math.max(sharpest, Math.abs(steady[i] - 2 * steady[i - 1] + steady[i - 2]));
    }
    expect(sharpest).toBeLessThan(0.0164);
    const after = sound.subarray(-14_400);
    expect(measureTone(after, 48000, 443).peakDb).toBeCloseTo(-12.04, 1);
    expect(measureTone(after, 48000, 443).snrDb).toBeGreaterThan(80);
    for (const one of [source, loopback, mixer]) one.destroy();
  });
});

describe('one source in two inputs', () => {
  it('is heard twice, in step', async () => {
    audio.device('mic').play(tone(997));
    const source = new MicSource({ backend: audio });
    const mixer = new Mixer();
    source.pipe(mixer.createInput());
    source.pipe(mixer.createInput({ gain: 0.5 }));
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await source.ready;
    for (let step = 0; step < 4; step++) await audio.advance(500);
    const [sound] = toFloat(Buffer.concat(chunks), stereo);
    const { peakDb } = measureTone(sound.subarray(-48_000), 48000, 997);
    expect(peakDb).toBeCloseTo(-12.04 + 3.52, 1);
    source.destroy();
    mixer.destroy();
  });
});

describe('a live input with latencyMs', () => {
  it('delays the whole mix by as much as it needs, and not more', async () => {
    audio.device('mic').play(tone(997));
    const source = new MicSource({ backend: audio });
    const mixer = new Mixer({ latencyMs: 30 });
    mixer.resume();
    source.pipe(mixer.createInput({ latencyMs: 120 }));
    await source.ready;
    await audio.advance(1000);
    expect(mixer.stats().lagMs).toBeCloseTo(120, 6);
    expect(mixer.stats().inputs[0].starvations).toBe(0);
    source.destroy();
    mixer.destroy();
  });

  it('or a startFrame is rejected, because its times determine its position', () => {
    const source = new MicSource({ backend: audio });
    const mixer = new Mixer();
    expect(() => source.pipe(mixer.createInput({ startFrame: 48_000 }))).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }),
    );
    source.destroy();
    mixer.destroy();
  });
});
