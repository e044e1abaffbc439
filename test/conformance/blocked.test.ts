// Audio keeps playing while the event loop is blocked: a virtual microphone is recorded while JavaScript does
// nothing for two seconds. Each break has been counted, or was there in the room's sound.
import { afterAll, beforeAll, expect, it } from 'vitest';

import { MicSource, Mixer, VirtualMicSink, type AudioDevice, type AudioSource } from 'patchcord';

import { findGaps } from '../instruments/index.js';
import { openSystem, type System } from './system.js';
import { block, until } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

/** Records a source until it is closed: the left channel, from the first sound on. */
async function listen(source: AudioSource): Promise<Float32Array> {
  const left: number[] = [];
  for await (const { data } of source.chunks()) {
    const samples = new Float32Array(data.buffer, data.byteOffset, data.length / 4);
    for (let i = 0; i < samples.length; i += 2) left.push(samples[i]);
  }
  const first = left.findIndex((sample) => Math.abs(sample) > 0.1);
  return Float32Array.from(left.slice(first + 4800, -960));
}

it('two seconds of a blocked event loop leave no break that was not counted', async () => {
  const { backend } = system;
  await system.play('microphone', 997);
  const mic = new MicSource({ backend, device: system.microphone, bufferMs: 10_000 });
  const mixer = new Mixer();
  const input = mixer.createInput();
  const sink = new VirtualMicSink({
    backend,
    name: 'Blocked',
    latencyMs: 100,
    ...(system.cable ? { device: system.cable } : {}),
  });
  mic.pipe(input);
  mixer.pipe(sink);
  await Promise.all([mic.ready, sink.ready]);
  await until(() => sink.level().peakDb > -14, 'the tone in the sink');
  // The same audio system records both sides, so a break in the room's sound is not a fault of the path.
  const microphone = sink.microphone as AudioDevice;
  const listener = new MicSource({ backend, device: microphone, bufferMs: 10_000 });
  const heard = listen(listener);
  const room = listen(mic);
  await listener.ready;
  await until(() => listener.level().peakDb > -14, 'the tone in the microphone');
  await new Promise((resolve) => setTimeout(resolve, 500));
  block(2000);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const counted =
    (input.stats().starvations ?? 0) +
    (input.stats().resyncs ?? 0) +
    sink.stats().underruns +
    mic.stats().discontinuities +
    listener.stats().discontinuities;
  const lost = mic.stats().readerLostFrames + listener.stats().readerLostFrames;
  await Promise.all([listener.close(), mic.close()]);
  const [sound, original] = await Promise.all([heard, room]);
  await Promise.all([sink.close(), mixer.close()]);
  expect(lost).toBe(0);
  expect(sound.length).toBeGreaterThan(3 * 48000);
  const breaks = (samples: Float32Array) =>
    findGaps(samples, { sampleRate: 48000, frequency: 997, tolerance: 5e-5 });
  const known = counted + breaks(original).length;
  // A loaded machine may break it; then each silence is one that was counted. Its fades are breaks too.
  if (known === 0) expect(breaks(sound)).toEqual([]);
  expect(breaks(sound).filter(({ kind }) => kind === 'silence').length).toBeLessThanOrEqual(known);
});
