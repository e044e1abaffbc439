// Whatever is asked of a stream, in whichever state it is: it answers, or says why it does not.
import { expect, it } from 'vitest';

import {
  AudioError,
  EchoCanceller,
  Gain,
  LevelMeter,
  Limiter,
  LoopbackSource,
  LoudnessNormalizer,
  MicSource,
  Mixer,
  ProcessSource,
  Resampler,
  SpeakerSink,
  ToneSource,
  VirtualMicSink,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;

interface Asked {
  destroy(): unknown;
  once(event: 'close' | 'error', listener: () => void): unknown;
  ready?: Promise<unknown>;
  close(): Promise<void>;
  level?(): { peakDb: number; rmsDb: number };
  stats(): object;
}

const makers: Record<string, (backend: SimulatedAudio) => Asked> = {
  MicSource: (backend) => new MicSource({ backend }),
  LoopbackSource: (backend) => new LoopbackSource({ backend }),
  ProcessSource: (backend) => new ProcessSource({ backend, process: 1000 }),
  SpeakerSink: (backend) => new SpeakerSink({ backend }),
  'SpeakerSink that normalizes': (backend) => new SpeakerSink({ backend, normalize: true }),
  VirtualMicSink: (backend) => new VirtualMicSink({ backend }),
  Mixer: () => new Mixer(),
  MixerInput: () => new Mixer().createInput({ format }),
  Resampler: () => new Resampler({ sampleRate: 16000, from: format }),
  Gain: () => new Gain({ gain: 0.5, from: format }),
  Limiter: () => new Limiter({ from: format }),
  EchoCanceller: () => new EchoCanceller({ reference: new ToneSource(), from: format }),
  LevelMeter: () => new LevelMeter({ from: format }),
  LoudnessNormalizer: () => new LoudnessNormalizer({ from: format }),
};

const closed = (stream: Asked): Promise<void> =>
  new Promise((resolve) => stream.once('close', resolve));

/** Brings a stream into a state; what follows is asked there. */
const states: Record<string, (stream: Asked) => Promise<unknown> | undefined> = {
  new: () => undefined,
  'ready, if it is by itself': (stream) =>
    Promise.race([stream.ready, new Promise((resolve) => setTimeout(resolve, 100))]),
  'being closed at once': (stream) => void stream.close().catch(() => {}),
  'being destroyed at once': (stream) => void stream.destroy(),
  'closed early': (stream) => {
    const over = closed(stream);
    stream.close().catch(() => {});
    return over;
  },
  destroyed: (stream) => {
    const over = closed(stream);
    stream.destroy();
    return over;
  },
};

/** Every number of a report, by its path. */
function numbers(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => numbers(one, `${path}.${key}`));
}

it.each(Object.keys(makers).flatMap((name) => Object.keys(states).map((state) => [name, state])))(
  '%s, %s, answers',
  async (name, state) => {
    await using backend = new SimulatedAudio();
    backend.addProcess({ pid: 1000, name: 'player' });
    const stream = makers[name](backend);
    stream.once('error', () => {});
    await states[state](stream);
    if (stream.level) {
      const { peakDb, rmsDb } = stream.level();
      expect(peakDb).toBeLessThan(0);
      expect(rmsDb).toBeLessThan(0);
    }
    expect(numbers(stream.stats()).filter(([, value]) => Number.isNaN(value))).toEqual([]);
    const asked = stream as unknown as Record<string, unknown>;
    const questions: Record<string, unknown[]> = {
      timeAt: [0],
      frameAt: [0n],
      setGain: [0.5],
      setPan: [0.5],
      setMuted: [true],
      clear: [],
      linkStats: [],
    };
    for (const [method, given] of Object.entries(questions)) {
      const ask = asked[method];
      if (typeof ask !== 'function') continue;
      try {
        ask.apply(stream, given);
      } catch (error) {
        expect(error).toBeInstanceOf(AudioError);
      }
    }
    for (const property of ['format', 'live', 'position', 'firstFrame', 'device', 'granted']) {
      try {
        void asked[property];
      } catch (error) {
        expect(error).toBeInstanceOf(AudioError);
      }
    }
    const over = closed(stream);
    if (!(asked.closed as boolean)) {
      stream.destroy();
      await over;
    }
  },
);
