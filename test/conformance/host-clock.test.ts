// `clock: 'host'` and `startTime`: two devices record on one timeline. The exact part runs on the simulated system
// with a manual clock; what every system must do runs on the system of the run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  type AudioError,
  type AudioSource,
  type SourceOptions,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { toFloat } from '../instruments/index.js';
import { fitSine, phaseAt } from '../instruments/sine-fit.js';
import { openSystem, type System } from './system.js';
import { event, until } from './wait.js';

/** Everything that a source delivers, channel 0, and where it begins. */
function collect(source: AudioSource) {
  const chunks: Buffer[] = [];
  source.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    frames: () => chunks.reduce((sum, { length }) => sum + length, 0) / 8,
    sound: () => toFloat(Buffer.concat(chunks), source.format)[0],
  };
}

const frequency = 997;
const chunkFrames = 480;

describe("clock: 'host', on simulated devices 150 ppm fast and 80 ppm slow", () => {
  const ppm = { fast: 150, slow: -80 };

  /** Both microphones hear the same sine of the host's time; one has another rate. */
  function world(): SimulatedAudio {
    const audio = new SimulatedAudio({
      clock: 'manual',
      devices: [
        { id: 'fast', flow: 'input', driftPpm: ppm.fast },
        {
          id: 'slow',
          flow: 'input',
          driftPpm: ppm.slow,
          format: { sampleRate: 44100, channels: 2, sampleFormat: 'f32' },
        },
        { id: 'speakers', flow: 'output', driftPpm: ppm.slow },
      ],
    });
    for (const id of ['fast', 'slow'] as const) {
      audio.device(id).play(tone(frequency / (1 + ppm[id] * 1e-6)));
    }
    return audio;
  }

  /** In steps that no reader is too slow for. */
  async function run(audio: SimulatedAudio, ms: number): Promise<void> {
    for (let done = 0; done < ms; done += 500) await audio.advance(Math.min(500, ms - done));
  }

  const open = (audio: SimulatedAudio, device: string, options: SourceOptions = {}) =>
    new MicSource({ backend: audio, device, clock: 'host', ...options });

  /** By how many frames the second is later, over a tenth of a second from `frame` on. */
  function shift(first: Float32Array, second: Float32Array, frame: number): number {
    const omega = (2 * Math.PI * frequency) / 48000;
    const [a, b] = [first, second].map((sound) =>
      phaseAt(fitSine(sound, frame, frame + 4800, omega, false), frame),
    );
    const turns = (a - b) / (2 * Math.PI);
    return ((turns - Math.round(turns)) * 48000) / frequency;
  }

  it('two recordings have equal lengths and are aligned to the frame', async () => {
    const audio = world();
    const startTime = audio.now();
    const [fast, slow] = ['fast', 'slow'].map((id) =>
      open(audio, id, { startTime, durationMs: 60_000 }),
    );
    const [a, b] = [fast, slow].map(collect);
    await Promise.all([fast.ready, slow.ready]);
    await run(audio, 62_000);
    expect(a.frames()).toBe(60 * 48000);
    expect(b.frames()).toBe(60 * 48000);
    const [first, second] = [a.sound(), b.sound()];
    for (let frame = 48000; frame < 59 * 48000; frame += 48000) {
      expect(Math.abs(shift(first, second, frame))).toBeLessThan(frame < 240_000 ? 1.5 : 0.1);
    }
    expect(fast.stats().driftPpm).toBeCloseTo(ppm.fast, 0);
    expect(slow.stats().driftPpm).toBeCloseTo(ppm.slow, 0);
    expect(fast.timeAt(48000)).toBe(startTime + 1_000_000_000n);
    expect(slow.timeAt(123)).toBe(fast.timeAt(123));
    expect(slow.frameAt(startTime + 2_000_000_000n)).toBe(96000);
  });

  it('also after gaps, and beside a device that is unplugged', async () => {
    const audio = world();
    const startTime = audio.now();
    const [fast, slow, gone] = ['fast', 'slow', 'fast'].map((id) =>
      open(audio, id, {
        startTime,
        durationMs: id === 'slow' ? 20_000 : undefined,
        recover: false,
      }),
    );
    const [a, b] = [fast, slow].map(collect);
    gone.on('error', () => {});
    await Promise.all([fast.ready, slow.ready, gone.ready]);
    await run(audio, 5000);
    audio.device('fast').glitch(4801);
    audio.device('slow').glitch(7);
    await run(audio, 5000);
    expect(Math.abs(shift(a.sound(), b.sound(), 9 * 48000))).toBeLessThan(1.1);
    expect(fast.stats()).toMatchObject({ discontinuities: 1, lostFrames: 4800 });
    // 7 frames of 44100 Hz are 7.6 of 48000 Hz.
    expect(slow.stats()).toMatchObject({ discontinuities: 1, lostFrames: 8 });
    const lost = event<AudioError>(fast, 'error');
    audio.device('fast').unplug();
    await run(audio, 12_000);
    expect((await lost).code).toBe('ERR_AUDIO_DEVICE_LOST');
    expect(Math.abs(a.frames() - 10 * 48000)).toBeLessThan(2 * chunkFrames);
    expect(b.frames()).toBe(20 * 48000);
    expect(Math.abs(shift(a.sound(), b.sound(), 470_400))).toBeLessThan(1.1);
  });

  it('with a startTime in the past the stream is silent until the device is open', async () => {
    const audio = world();
    const startTime = audio.now() - 3_600_000_000_000n;
    const source = open(audio, 'fast', { startTime, bufferMs: 1000 });
    await source.ready;
    const chunks = source.chunks();
    const first = chunks.next();
    await audio.advance(100);
    expect((await first).value).toMatchObject({ frame: 0, frames: 480, time: startTime, flags: 1 });
    const { frames, readerLostFrames, silentFrames } = source.stats();
    expect(Math.abs(frames - 3600.1 * 48000)).toBeLessThan(2 * chunkFrames);
    expect(silentFrames).toBeGreaterThan(3600 * 48000 - 1);
    expect(readerLostFrames).toBe(0);
    source.destroy();
  });

  it.each(['device', 'host'] as const)(
    'of a start that is to come frame 0 is what is heard then, on the %s clock',
    async (clock) => {
      const audio = world();
      const reference = open(audio, 'slow', { startTime: audio.now(), clock: 'host' });
      const late = open(audio, 'fast', { startTime: audio.now() + 20_000_000_000n, clock });
      const [a, b] = [reference, late].map(collect);
      await Promise.all([reference.ready, late.ready]);
      await run(audio, 19_900);
      expect(b.frames()).toBe(0);
      await run(audio, 600);
      expect(Math.abs(shift(a.sound().subarray(20 * 48000), b.sound(), 4800))).toBeLessThan(1.1);
      expect(late.stats()).toMatchObject({ trimmedFrames: 0, silentFrames: 0 });
      reference.destroy();
      late.destroy();
    },
  );

  it("an idle loopback follows the host's clock", async () => {
    const audio = world();
    const loopback = new LoopbackSource({ backend: audio, clock: 'host', durationMs: 30_000 });
    const { frames, sound } = collect(loopback);
    await loopback.ready;
    await run(audio, 10_000);
    // Its silence is certain when no packet is waited for any more.
    expect(Math.abs(frames() - 9.5 * 48000)).toBeLessThan(4 * chunkFrames);
    audio.device('speakers').play(tone(frequency));
    await run(audio, 5000);
    audio.device('speakers').stop();
    await run(audio, 16_000);
    expect(frames()).toBe(30 * 48000);
    const from = sound().findIndex((sample) => Math.abs(sample) > 0.01);
    expect(Math.abs(from - 10 * 48000)).toBeLessThan(2 * chunkFrames);
    expect(loopback.stats().discontinuities).toBe(0);
  });
});

describe("clock: 'host', on the system of the run", () => {
  let system: System;
  beforeAll(async () => {
    system = await openSystem();
  });
  afterAll(() => system.close());

  it('a microphone and a loopback of one startTime are one timeline', async () => {
    const stop = await system.play('microphone', frequency);
    const options = {
      backend: system.backend,
      clock: 'host' as const,
      startTime: process.hrtime.bigint(),
    };
    const mic = new MicSource({ ...options, device: system.microphone });
    const loopback = new LoopbackSource({ ...options, device: system.speakers });
    const [a, b] = [mic, loopback].map(collect);
    await Promise.all([mic.ready, loopback.ready]);
    await until(() => mic.level().peakDb > -14, 'the tone');
    await until(() => a.frames() > 3 * 48000 && b.frames() > 3 * 48000, 'three seconds');
    // Packets, and the silence of an idle loopback, come a little after they were heard.
    const now = mic.frameAt(process.hrtime.bigint());
    for (const { frames } of [mic.stats(), loopback.stats()]) {
      expect(Math.abs(frames - now)).toBeLessThan(48 * 750);
    }
    expect(mic.timeAt(0)).toBe(options.startTime);
    for (const frame of [1, 4711, 48000, 10 ** 9]) {
      expect(mic.timeAt(frame)).toBe(loopback.timeAt(frame));
      expect(Math.round(mic.frameAt(loopback.timeAt(frame)))).toBe(frame);
    }
    const times: bigint[] = [];
    for await (const { frame, time } of mic.chunks()) {
      expect(time).toBe(mic.timeAt(frame));
      if (times.push(time) === 20) break;
    }
    await Promise.all([mic.close(), loopback.close()]);
    await stop();
  });

  it('both end after exactly durationMs', async () => {
    const options = { backend: system.backend, clock: 'host' as const, durationMs: 1500 };
    const mic = new MicSource({ ...options, device: system.microphone });
    const loopback = new LoopbackSource({ ...options, device: system.speakers });
    const ended = [mic, loopback].map((source) => event(source, 'end'));
    const both = [mic, loopback].map(collect);
    await Promise.all(ended);
    for (const { frames } of both) expect(frames()).toBe(1.5 * 48000);
  });
});
