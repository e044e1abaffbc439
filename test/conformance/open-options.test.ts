// How a device is opened: a demand is granted or refused with an error, a request is granted or `granted` says why
// not, and in every case the audio is as it should be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { LoopbackSource, MicSource, SpeakerSink, type AudioError } from 'patchcord';

import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { event } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const mic = (options: object) =>
  new MicSource({ backend: system.backend, device: system.microphone, ...options });

describe('a requirement that cannot be met', () => {
  const shareMode = 'exclusive';
  // For capture Wine reports that the device lacks the format, for playback that it lacks the mode.
  const ofCapture = process.env.PATCHCORD_TEST_BACKEND === 'wasapi' ? 'FORMAT_' : '';
  it.each([
    ['a microphone', `ERR_AUDIO_${ofCapture}UNSUPPORTED`, () => mic({ shareMode })],
    [
      'an output',
      'ERR_AUDIO_UNSUPPORTED',
      () => new SpeakerSink({ backend: system.backend, device: system.speakers, shareMode }),
    ],
  ] as const)('is refused in words: %s', async (_, code, make) => {
    const error = await event<AudioError>(make(), 'error');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/exclusive/);
    expect(error.remedy).toBeTruthy();
  });

  it('is rejected at once for a loopback', () => {
    const options = { backend: system.backend, shareMode: 'exclusive' } as const;
    expect(() => new LoopbackSource(options)).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }),
    );
  });
});

describe('requests', () => {
  it('that were not made are not granted, and have no reason', async () => {
    const source = mic({});
    expect(source.granted).toBeUndefined();
    await source.ready;
    expect(source.granted).toEqual({
      shareMode: 'shared',
      ...(system.name === 'wasapi' && { api: 'wasapi' }),
      lowLatency: false,
      raw: false,
      category: 'other',
      echoCancellation: false,
      realtime: expect.any(Boolean),
      // Real-time priority is granted or explained; the simulated system has none.
      reasons: source.granted?.reasons.realtime ? { realtime: expect.any(String) } : {},
    });
    const { realtime, reasons } = source.granted!;
    if (system.name === 'simulated' || realtime) expect(reasons.realtime).toBeUndefined();
    else expect(reasons.realtime).toMatch(/RealtimeKit|libdbus|message bus|refused/);
    source.destroy();
  });

  it('are granted or explained, and the microphone is recorded, with each gap counted', async () => {
    const stop = await system.play('microphone', 997);
    const source = mic({ lowLatency: true, raw: true, category: 'communications' });
    const { granted } = await source.ready;
    console.log(JSON.stringify(granted), source.periodMs);
    const { lowLatency, raw, category, reasons } = granted;
    for (const [name, given] of Object.entries({
      lowLatency,
      raw,
      category: category === 'communications',
    })) {
      const reason = (reasons as Record<string, string>)[name];
      if (given) expect(reason).toBeUndefined();
      else expect(reason).toMatch(/\w+ \w+/);
    }
    expect(source.periodMs).toBeGreaterThan(0);
    if (lowLatency) expect(source.periodMs).toBeLessThan(10);
    const chunks: Buffer[] = [];
    let frames = 0;
    for await (const chunk of source.chunks()) {
      frames += chunk.frames;
      // The player outside takes its time.
      if (frames > 48000) chunks.push(chunk.data);
      if (frames > 96000) break;
    }
    await stop();
    const [left] = toFloat(Buffer.concat(chunks), source.format);
    expect(measureTone(left, 48000, 997).frequency).toBeCloseTo(997, 0);
    // With so little headroom a busy machine loses a block (PipeWire now and then), and counts it.
    const { lostFrames } = source.stats();
    if (!lowLatency) expect(lostFrames).toBe(0);
    if (lostFrames === 0) {
      expect(findGaps(left, { sampleRate: 48000, frequency: 997 })).toEqual([]);
    }
    source.destroy();
  });

  it('of a loopback and a sink are granted or explained', async () => {
    const options = { backend: system.backend, device: system.speakers, lowLatency: true };
    for (const stream of [new LoopbackSource(options), new SpeakerSink(options)]) {
      await stream.ready;
      const { lowLatency, reasons } = stream.granted as NonNullable<typeof stream.granted>;
      console.log(stream.constructor.name, lowLatency, JSON.stringify(reasons));
      expect(Boolean(reasons.lowLatency)).toBe(!lowLatency);
      stream.destroy();
    }
  });
});
