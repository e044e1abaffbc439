// A sink that underran holds more than its option says, reports it, and gives it back. On the simulated system with
// a manual clock.
import { describe, expect, it } from 'vitest';

import { MicSource, Mixer, SpeakerSink, type SinkOptions } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { findGaps } from '../instruments/index.js';

const simulated = (process.env.PATCHCORD_TEST_BACKEND ?? 'simulated') === 'simulated';

async function play(mixed: boolean, options: SinkOptions = {}) {
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(997));
  const mic = new MicSource({ backend: audio });
  const sink = new SpeakerSink({ backend: audio, ...options });
  const mixer = mixed ? new Mixer() : undefined;
  mixer?.pipe(sink);
  mic.pipe(mixer?.createInput() ?? sink);
  const told: unknown[] = [];
  sink.on('latency', (event) => told.push(event));
  await Promise.all([mic.ready, sink.ready]);
  await audio.advance(2000);
  return {
    audio,
    sink,
    told,
    glitch: async (frames: number) => {
      audio.device('speakers').glitch(frames);
      await audio.advance(1000);
    },
    close: async () => {
      await Promise.all([mic.close(), sink.close(), mixer?.close()]);
    },
  };
}

describe.runIf(simulated)('a sink after an underrun', () => {
  for (const mixed of [false, true]) {
    it(`holds more and gives it back, ${mixed ? 'of a mixer' : 'of a microphone'}`, async () => {
      const { audio, sink, told, glitch, close } = await play(mixed);
      const before = sink.stats();
      expect(before.fillMs).toBe(15);
      await glitch(960);
      expect(told).toEqual([{ from: 15, to: 35, reason: 'underrun' }]);
      const { fillMs, latencyMs, resyncs } = sink.stats();
      expect(fillMs).toBe(35);
      expect(latencyMs).toBeCloseTo((before.latencyMs ?? 0) + 20, 1);
      expect(resyncs ?? 0).toBe(0);
      if (mixed) return close();
      audio.device('speakers').record({ maxMs: 200_000 });
      // A minute, and 20 ms at 0.2 ms each second.
      await audio.advance(165_000);
      expect(told.slice(1)).toEqual([{ from: 35, to: 15, reason: 'calm' }]);
      expect(sink.stats().latencyMs).toBeCloseTo(before.latencyMs ?? 0, 1);
      const { data } = audio.device('speakers').recorded();
      const left = data.filter((_, index) => index % 2 === 0).subarray(0, 48_000 * 160);
      // Where it is given back the tone is 200 in a million higher.
      expect(findGaps(left, { sampleRate: 48_000, frequency: 997, tolerance: 1e-3 })).toEqual([]);
      await close();
    });
  }

  it('adds no more than maxLatencyMs', async () => {
    const { sink, told, glitch, close } = await play(false, { maxLatencyMs: 15 });
    await glitch(960);
    expect(told).toEqual([]);
    expect(sink.stats()).toMatchObject({ fillMs: 15, underruns: 1 });
    await close();
  });

  it('refuses a maxLatencyMs below latencyMs', () => {
    expect(() => new SpeakerSink({ latencyMs: 30, maxLatencyMs: 20 })).toThrow(RangeError);
  });
});
