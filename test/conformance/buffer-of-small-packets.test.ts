// `bufferMs` is a time, whatever the device's period is. The world's clock is the test's: while it advances there
// is no reader.
import { expect, it } from 'vitest';

import { chunkFlags, MicSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

it.each([480, 64, 32, 16])('packets of %i frames: bufferMs is kept', async (periodFrames) => {
  const audio = new SimulatedAudio({
    clock: 'manual',
    devices: [{ id: 'mic', flow: 'input', periodFrames, defaultConsole: true }],
  });
  audio.device('mic').play(tone(997));
  const mic = new MicSource({ backend: audio, bufferMs: 1000 });
  const reader = mic.chunks();
  await audio.advance(900);
  let frames = 0;
  while (frames < 0.85 * 48000) {
    const { value } = await reader.next();
    frames += value!.frames;
    expect(value!.flags & chunkFlags.lost).toBe(0);
  }
  expect(mic.stats().readerLostFrames).toBe(0);
  mic.destroy();
});
