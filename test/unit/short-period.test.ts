// A device that loses audio at its shortest period gets the usual one back.
import { expect, it } from 'vitest';

import { MicSource } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

it('is given up after 5 losses within 10 s, and granted says why', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio.addDevice({ id: 'fast', flow: 'input', periodFrames: 128 });
  const mic = await MicSource.open({ backend: audio, device: 'fast', lowLatency: true });
  mic.resume();
  const lose = async (ms: number): Promise<boolean> => {
    audio.device('fast').glitch(100);
    await audio.advance(ms);
    return mic.granted.lowLatency;
  };
  for (let i = 0; i < 6; i++) expect(await lose(5000)).toBe(true);
  let quick = 1;
  while (await lose(100)) quick++;
  expect(quick).toBeGreaterThanOrEqual(2);
  expect(quick).toBeLessThanOrEqual(5);
  expect(mic.granted.reasons.lowLatency).toContain('lost audio 5 times within 10 s');
  const { frames } = mic.stats();
  await audio.advance(1000);
  expect(mic.stats().frames).toBeGreaterThanOrEqual(frames + 48_000 - 480);
  await mic.close();
});
