// When each frame was heard, against what the simulated world knows; and what the machine's sleep does to
// times and frames.
import { describe, expect, it } from 'vitest';

import {
  LoopbackSource,
  MicSource,
  Mixer,
  Resampler,
  type AudioSource,
  type Discontinuity,
  type SourceOptions,
} from 'patchcord';
import { pcm, SimulatedAudio, tone } from 'patchcord/testing';

import { toFloat } from '../instruments/index.js';
import { fitSine, phaseAt } from '../instruments/sine-fit.js';

const rate = 48000;
const frequency = 100;

/** In steps that no reader is too slow for. */
async function run(audio: SimulatedAudio, ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 500) await audio.advance(Math.min(500, ms - done));
}

function percentile(values: number[], share: number): number {
  return values.sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];
}

describe('times, against the truth of the simulated world', () => {
  for (const [stamps, jitterMs] of [
    ['exact to 20 us', 0.02],
    ['off by 0.2 ms', 0.2],
  ] as const) {
    it(`of a source whose stamps are ${stamps}: 0.1 ms, p99`, async () => {
      const driftPpm = 150;
      const audio = new SimulatedAudio({
        clock: 'manual',
        devices: [{ id: 'mic', flow: 'input', driftPpm, defaultConsole: true }],
      });
      const begun = audio.now();
      // Each sample says which of the device's frames it is.
      const ramp = Float32Array.from({ length: 65536 }, (_, frame) => frame / 65536);
      audio
        .device('mic')
        .play(pcm(ramp, { loop: true }))
        .stamps(0, jitterMs);
      await audio.advance(123.4);
      const mic = new MicSource({ backend: audio, channels: 1 });
      const errors: number[] = [];
      const reading = (async () => {
        for await (const { data, frame, time, flags } of mic.chunks()) {
          if (flags) continue; // before the device was open
          const expected = Number(time - begun) * 1e-9 * rate * (1 + driftPpm * 1e-6);
          const counted = data.readFloatLE(0) * 65536;
          const whole = counted + 65536 * Math.round((expected - counted) / 65536);
          errors.push(Math.abs(((expected - whole) / rate) * 1000));
          expect(Math.abs(Number(mic.timeAt(frame) - time))).toBeLessThan(1e6);
        }
      })();
      await run(audio, 60_000);
      await mic.close();
      await reading;
      expect(errors.length).toBeGreaterThan(5900);
      expect(percentile(errors, 0.99)).toBeLessThan(0.1);
    });
  }

  it('through a mixer and a resampler: 0.1 ms', async () => {
    const driftPpm = 150;
    const audio = new SimulatedAudio({
      clock: 'manual',
      devices: [
        { id: 'mic', flow: 'input', driftPpm, defaultConsole: true },
        { id: 'speakers', flow: 'output', driftPpm: -80, defaultConsole: true },
      ],
    });
    const begun = audio.now();
    audio.device('mic').play(tone(frequency / (1 + driftPpm * 1e-6)));
    const mic = new MicSource({ backend: audio });
    const mixer = new Mixer();
    const resampler = new Resampler({ sampleRate: 44100 });
    mic.pipe(mixer.createInput());
    mixer.pipe(resampler);
    for (const [stream, streamRate] of [
      [mixer, rate],
      [resampler, 44100],
    ] as const) {
      const chunks: Buffer[] = [];
      let first: number | undefined;
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        first ??= stream.firstFrame;
      });
      Object.assign(stream, { check: () => judge(stream, streamRate, chunks, first ?? 0) });
    }
    function judge(stream: Mixer | Resampler, at: number, chunks: Buffer[], first: number) {
      const [sound] = toFloat(Buffer.concat(chunks), stream.format);
      const omega = (2 * Math.PI * frequency) / at;
      // Its anchor is where it is now: the last seconds.
      for (let ago = 2; ago >= 0.5; ago -= 0.5) {
        const frame = sound.length - Math.round(ago * at);
        const phase = phaseAt(fitSine(sound, frame, frame + at / 10, omega, false), frame);
        const heard = Number(stream.timeAt(first + frame) - begun) * 1e-9 * frequency;
        const turns = phase / (2 * Math.PI) + 0.25 - heard; // a sine, fitted by a cosine
        const off = ((turns - Math.round(turns)) / frequency) * 1000;
        expect(Math.abs(off), `${stream.constructor.name}, ${ago} s ago`).toBeLessThan(0.1);
      }
    }
    await run(audio, 10_000);
    for (const stream of [mixer, resampler] as unknown as { check(): void }[]) stream.check();
    await mic.close();
  });

  it('timeAt and frameAt are each other’s inverse', async () => {
    const audio = new SimulatedAudio({ clock: 'manual' });
    const mic = new MicSource({ backend: audio });
    mic.resume();
    await run(audio, 3000);
    for (const frame of [0, 480, 96_000, 143_000]) {
      expect(mic.frameAt(mic.timeAt(frame))).toBeCloseTo(frame, 3);
    }
    await mic.close();
  });
});

describe("the machine's sleep", () => {
  const ppm = { fast: 150, slow: -80 };

  function world(): SimulatedAudio {
    const audio = new SimulatedAudio({
      clock: 'manual',
      devices: [
        { id: 'fast', flow: 'input', driftPpm: ppm.fast, defaultConsole: true },
        { id: 'slow', flow: 'input', driftPpm: ppm.slow },
        { id: 'speakers', flow: 'output', driftPpm: ppm.slow, defaultConsole: true },
      ],
    });
    for (const id of ['fast', 'slow'] as const) {
      audio.device(id).play(tone(frequency / (1 + ppm[id] * 1e-6)));
    }
    return audio;
  }

  function watch(source: AudioSource) {
    const chunks: Buffer[] = [];
    const holes: Discontinuity[] = [];
    source.on('data', (chunk: Buffer) => chunks.push(chunk));
    source.on('discontinuity', (hole) => holes.push(hole));
    return { holes, sound: () => toFloat(Buffer.concat(chunks), source.format)[0] };
  }

  const sleepMs = 3 * 3_600_000 + 12_345;

  it("is skipped in all streams alike, and streams on the host's clock stay aligned", async () => {
    const audio = world();
    const begun = audio.now();
    const options: SourceOptions = { backend: audio, clock: 'host', startTime: begun };
    const sources = [
      new MicSource({ ...options, device: 'fast' }),
      new MicSource({ ...options, device: 'slow' }),
      new LoopbackSource(options),
      new LoopbackSource({ backend: audio }),
    ];
    const seen = sources.map(watch);
    await run(audio, 5000);
    await audio.sleep(sleepMs);
    await run(audio, 10_000);
    await Promise.all(sources.map((source) => source.close()));

    const steps = seen.map(({ holes }) => holes.filter(({ filled }) => !filled));
    const [[{ frames }]] = steps;
    expect(frames % rate).toBe(0);
    expect(sleepMs / 1000 - frames / rate).toBeLessThan(5);
    steps.forEach((some, index) => {
      expect(some, `source ${index}`).toEqual([
        { frame: expect.any(Number) as number, frames, filled: false, reason: 'sleep' },
      ]);
      expect(sources[index].stats().skippedFrames).toBe(frames);
    });
    const slept = BigInt(frames / rate) * 1_000_000_000n;
    for (const source of sources.slice(0, 3)) {
      expect(source.timeAt(rate)).toBe(begun + 1_000_000_000n);
      expect(source.timeAt(12 * rate)).toBe(begun + 12_000_000_000n + slept);
      expect(source.frameAt(begun + 12_000_000_000n + slept)).toBeCloseTo(12 * rate, 3);
      expect(source.frameAt(begun + 1_000_000_000n)).toBeCloseTo(rate, 3);
      // A loopback that plays nothing has given its silence only up to `maxWaitMs` before the sleep.
      const asleep = source.frameAt(begun + 3_600_000_000_000n);
      const waited = source instanceof LoopbackSource ? 0.5 * rate : 0;
      expect(asleep).toBeGreaterThan(5 * rate - waited - 5000);
      expect(asleep).toBeLessThan(5 * rate + 5000);
    }

    const [fast, slow] = seen.map(({ sound }) => sound());
    const omega = (2 * Math.PI * frequency) / rate;
    for (const second of [2, 3, 4, 12, 13, 14]) {
      const [a, b] = [fast, slow].map((sound) =>
        phaseAt(fitSine(sound, second * rate, second * rate + 4800, omega, false), second * rate),
      );
      const turns = (a - b) / (2 * Math.PI);
      const apartMs = ((turns - Math.round(turns)) / frequency) * 1000;
      expect(Math.abs(apartMs), `at ${second} s`).toBeLessThan(0.05);
    }
    for (const { position } of sources.slice(0, 2)) {
      expect(Math.abs(position - 15 * rate - (sleepMs * rate) / 1000 + frames)).toBeLessThan(2000);
    }
  });

  it('is filled like other gaps up to maxFillMs', async () => {
    const audio = world();
    const [patient, impatient] = [60_000, 10_000].map(
      (maxFillMs) => new MicSource({ backend: audio, device: 'fast', maxFillMs, bufferMs: 60_000 }),
    );
    const [filled, left] = [patient, impatient].map(watch);
    await run(audio, 2000);
    await audio.sleep(30_000);
    await run(audio, 2000);
    await Promise.all([patient.close(), impatient.close()]);
    expect(filled.holes.every((hole) => hole.filled)).toBe(true);
    expect(patient.stats().skippedFrames).toBe(0);
    expect(patient.position).toBeGreaterThan(33.9 * rate);
    expect(left.holes.filter((hole) => !hole.filled)).toHaveLength(1);
    const { skippedFrames } = impatient.stats();
    expect(skippedFrames).toBeGreaterThanOrEqual(26 * rate);
    expect(Math.abs(patient.position - impatient.position - skippedFrames)).toBeLessThan(500);
  });

  it('is skipped in a mix, which continues after it', async () => {
    const audio = world();
    const mic = new MicSource({ backend: audio, device: 'fast' });
    const mixer = new Mixer();
    mic.pipe(mixer.createInput());
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await run(audio, 3000);
    await audio.sleep(sleepMs);
    await run(audio, 5000);
    const [sound] = toFloat(Buffer.concat(chunks), mixer.format);
    expect(sound.length / rate).toBeGreaterThan(7.5);
    expect(sound.length / rate).toBeLessThan(12);
    const last = sound.subarray(sound.length - rate);
    expect(Math.max(...last)).toBeCloseTo(0.25, 2);
    const off = Number(audio.now() - mixer.timeAt(mixer.stats().frames));
    expect(off * 1e-6).toBeLessThan(100);
    await mic.close();
  });

  it('is skipped also without a device, which returns after the sleep', async () => {
    const audio = world();
    const mic = new MicSource({ backend: audio, device: 'fast' });
    const other = new MicSource({ backend: audio, device: 'slow' });
    const [seen, beside] = [mic, other].map(watch);
    await run(audio, 2000);
    audio.device('fast').unplug();
    await run(audio, 500);
    await audio.sleep(sleepMs);
    await run(audio, 8000); // a dock takes some seconds
    audio.device('fast').plug();
    await run(audio, 5000);
    await Promise.all([mic.close(), other.close()]);
    const steps = [seen, beside].map(({ holes }) => holes.filter(({ filled }) => !filled));
    expect(steps[0]).toHaveLength(1);
    expect(steps[1]).toHaveLength(1);
    expect(steps[0][0].frames).toBe(steps[1][0].frames);
    expect(Math.abs(mic.position - other.position)).toBeLessThan(0.05 * rate);
  });

  it('refuses a maxFillMs below a second', () => {
    expect(() => new MicSource({ backend: world(), maxFillMs: 999 })).toThrow(RangeError);
  });
});
