// Streams emit afterwards what happened while the event loop was blocked, and lose no state.
import { expect, it } from 'vitest';

import { LevelMeter, MicSource, SpeakerSink } from 'patchcord';
import { SimulatedAudio, tone, type SimulatedDevice } from 'patchcord/testing';

import { until } from './wait.js';

const device = {
  format: { sampleRate: 48000, channels: 2, sampleFormat: 'f32' },
  periodFrames: 96,
} as const;

/** Blocks the event loop, while a device loses frames every 4 ms, until that has been enough. */
function blockWhileLosing(device: SimulatedDevice, enough: () => boolean): void {
  const start = performance.now();
  for (let i = 0; !enough() && performance.now() - start < 20_000;) {
    if (performance.now() - start < i * 4) continue;
    device.glitch(10);
    i++;
  }
}

it('a source ends after many events of a meter', async () => {
  await using audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(440));
  const mic = new MicSource({ backend: audio, durationMs: 2000 });
  const meter = new LevelMeter({ intervalMs: 10 });
  const ended = new Promise((resolve) => meter.once('end', resolve));
  let levels = 0;
  meter.on('level', () => levels++).resume();
  mic.pipe(meter);
  await audio.advance(10);
  await mic.ready;
  await audio.advance(4000);
  await ended;
  expect(levels).toBeGreaterThan(0);
});

it('a source ends after many gaps', async () => {
  await using audio = new SimulatedAudio({ devices: [{ id: 'mic', flow: 'input', ...device }] });
  audio.device('mic').play(tone(440));
  const mic = new MicSource({ backend: audio, durationMs: 3000, bufferMs: 30_000 });
  let ended = false;
  mic.on('end', () => (ended = true)).resume();
  await mic.ready;
  blockWhileLosing(audio.device('mic'), () => mic.stats().frames === 3 * 48_000);
  expect(mic.stats().discontinuities).toBeGreaterThan(128);
  await until(() => ended, 'the end');
});

it('a writer continues after many underruns of the sink', async () => {
  await using audio = new SimulatedAudio({ devices: [{ id: 'out', flow: 'output', ...device }] });
  const sink = new SpeakerSink({ backend: audio, format: device.format, bufferMs: 1000 });
  await sink.ready;
  let written = false;
  sink.write(Buffer.alloc(2 * 48_000 * 8, 1), () => (written = true));
  await until(() => sink.stats().frames > 4800, 'sound');
  // Meanwhile the queue falls below its half.
  const { frames } = sink.stats();
  blockWhileLosing(audio.device('out'), () => sink.stats().frames > frames + 60_000);
  expect(sink.stats().underruns).toBeGreaterThan(128);
  await until(() => written, 'room for the rest');
  sink.destroy();
});
