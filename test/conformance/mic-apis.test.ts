// The option `api` of a microphone: on Windows it is recorded through each interface, elsewhere the option is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { MicSource, type AudioError } from 'patchcord';

import { findGaps, measureTone, toFloat } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { event } from './wait.js';

const isWindows = process.env.PATCHCORD_TEST_BACKEND === 'wasapi';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const open = (options: object) =>
  new MicSource({ backend: system.backend, device: system.microphone, ...options });

describe.runIf(isWindows)('a microphone on Windows', () => {
  it.each(['wasapi', 'mme', 'directsound'] as const)(
    'is recorded through %s, and is lost and returns with its device',
    async (api) => {
      const stop = await system.play('microphone', 997);
      const mic = open({ api });
      const { granted } = await mic.ready;
      expect(granted.api).toBe(api);
      const chunks: Buffer[] = [];
      const ages: number[] = [];
      let frames = 0;
      for await (const { data, frames: length, time } of mic.chunks()) {
        frames += length;
        // The player outside takes its time.
        if (frames < 96_000) continue;
        chunks.push(data);
        ages.push(Number(process.hrtime.bigint() - time) / 1e6);
        if (frames > 192_000) break;
      }
      const [left, right] = toFloat(Buffer.concat(chunks), mic.format);
      // Lost frames are counted within half a second.
      for await (const { frame } of mic.chunks()) if (frame > 230_000) break;
      const { lostFrames } = mic.stats();
      ages.sort((a, b) => a - b);
      const tone = measureTone(left, 48000, 997);
      const gaps = findGaps(left, { sampleRate: 48000, frequency: 997 });
      console.log(api, JSON.stringify({ ...tone, lostFrames, gaps, age: ages[ages.length >> 1] }));
      expect(left).toEqual(right);
      // Wine keeps 100 ms for the older interfaces, and drops the rest on a busy machine.
      if (lostFrames === 0) {
        expect(gaps).toEqual([]);
        expect(Math.abs(tone.frequency - 997)).toBeLessThan(0.5);
      }
      expect(ages[ages.length >> 1]).toBeGreaterThan(5);
      expect(ages[ages.length >> 1]).toBeLessThan(200);
      await stop();

      const rebuild = event(mic, 'rebuild');
      const recovered = event(mic, 'recovered');
      const plug = await system.unplugMicrophone();
      await rebuild;
      await plug();
      await recovered;
      expect(mic.granted?.api).toBe(api);
      await mic.close();
    },
    30_000,
  );

  it.each(['mme', 'directsound'] as const)('has no exclusive mode through %s', async (api) => {
    const error = await event<AudioError>(open({ api, shareMode: 'exclusive' }), 'error');
    expect(error).toMatchObject({ code: 'ERR_AUDIO_UNSUPPORTED', remedy: expect.any(String) });
    expect(error.message).toMatch(/exclusive/);
  });
});

describe.skipIf(isWindows)('a microphone on another system', () => {
  it.each(['wasapi', 'mme', 'directsound'])('refuses %s', async (api) => {
    const error = await event<AudioError>(open({ api }), 'error');
    expect(error).toMatchObject({ code: 'ERR_AUDIO_UNSUPPORTED', remedy: expect.any(String) });
    expect(error.message).toMatch(/Windows/);
  });
});

it('an unknown interface is refused at once', () => {
  expect(() => open({ api: 'asio' })).toThrow(
    expect.objectContaining({
      code: 'ERR_AUDIO_UNSUPPORTED',
      message: expect.stringContaining("'asio'"),
      remedy: expect.stringContaining("'mme'"),
    }),
  );
  expect(() => open({ api: 5 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});
