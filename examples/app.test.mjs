// How an app tests what it does when its user's audio system misbehaves: `node --test examples/app.test.mjs`.
// docs/testing.md explains it.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MicSource, ToneSource, VirtualMicSink } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

// The app reads a microphone, and shows its user what happens to it.
function record(options) {
  const mic = new MicSource(options);
  const app = { mic, banner: '', chunks: 0, lostFrames: 0 };
  mic.on('data', () => app.chunks++);
  mic.on('rebuild', ({ device }) => (app.banner = `${device.name} is gone`));
  mic.on('recovered', () => (app.banner = ''));
  mic.on('deviceChange', ({ to }) => (app.banner = `Now recording ${to.name}`));
  mic.on('mute', () => (app.banner = 'You are muted'));
  mic.on('unmute', () => (app.banner = ''));
  mic.on('dead', () => (app.banner = 'Your microphone delivers nothing but silence'));
  mic.on('alive', () => (app.banner = ''));
  mic.on('discontinuity', ({ frames }) => (app.lostFrames += frames));
  mic.on('error', (error) => (app.banner = error.message));
  return app;
}

// Advances in steps that fit into the stream's buffer (`bufferMs`), so that the app can read in between.
async function pass(audio, seconds) {
  for (let step = 0; step < 2 * seconds; step++) await audio.advance(500);
}

test('a recording continues when an unplugged microphone returns', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  const headset = audio.device('mic').play(tone(1000));
  const app = record({ backend: audio, device: 'mic' });

  await pass(audio, 1);
  headset.unplug();
  await pass(audio, 2);
  assert.match(app.banner, /is gone$/);
  headset.plug();
  await pass(audio, 2);

  assert.equal(app.banner, '');
  assert.ok(Math.abs(app.chunks - 500) <= 5); // five seconds, whatever happened
  assert.ok(Math.abs(app.lostFrames / 48000 - 2) < 0.2); // two of them silence
  await app.mic.close();
});

test('a microphone that does not return is an error', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  const app = record({ backend: audio, device: 'mic', recover: { giveUpAfterMs: 10_000 } });
  await pass(audio, 1);
  audio.device('mic').unplug();
  await pass(audio, 12);
  assert.match(app.banner, /did not come back within 10 s/);
});

test('a stream follows the default device', async () => {
  const format = { sampleRate: 44100, channels: 1, sampleFormat: 's16' };
  const audio = new SimulatedAudio({
    clock: 'manual',
    devices: [
      { id: 'built-in', flow: 'input', defaultConsole: true },
      { id: 'headset', name: 'Headset', flow: 'input', format },
    ],
  });
  const app = record({ backend: audio });
  await pass(audio, 1);
  audio.device('headset').setDefault();
  await pass(audio, 1);
  assert.equal(app.banner, 'Now recording Headset');
  await app.mic.close();
});

test('a muted microphone is not dead', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  const mic = audio.device('mic').play(tone(440));
  const app = record({ backend: audio });
  await pass(audio, 1);
  mic.mute();
  await pass(audio, 3);
  assert.equal(app.banner, 'You are muted');
  mic.mute(false);
  await pass(audio, 1);
  assert.equal(app.banner, '');
  mic.die(); // the meter of the device moves, but its audio is silence
  await pass(audio, 3);
  assert.match(app.banner, /nothing but silence/);
  await app.mic.close();
});

test('a recording skips three hours of sleep', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  const app = record({ backend: audio });
  let slept = 0;
  app.mic.on('discontinuity', ({ frames, filled, reason }) => {
    if (!filled && reason === 'sleep') slept += frames / 48000;
  });
  await pass(audio, 1);
  await audio.sleep(3 * 3_600_000);
  await pass(audio, 5);
  assert.ok(Math.abs(slept - 10_800) < 5); // the app need not read three hours of silence
  assert.ok(app.chunks < 1200);
  await app.mic.close();
});

test('denied access is an error with a code', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').deny();
  const mic = new MicSource({ backend: audio });
  mic.on('error', () => {});
  await assert.rejects(mic.ready, { code: 'ERR_AUDIO_PERMISSION_DENIED' });
});

test('the app speaks into the virtual microphone', async () => {
  const audio = new SimulatedAudio({ clock: 'manual' });
  const sink = new VirtualMicSink({ backend: audio });
  await sink.ready;
  const output = audio.device(sink.device.id).record();
  new ToneSource({ frequency: 440, durationMs: 500 }).pipe(sink);
  const isHeard = () => output.recorded().data.some((sample) => Math.abs(sample) > 0.1);
  for (let ms = 0; ms < 2000 && !isHeard(); ms += 20) await audio.advance(20);
  assert.ok(isHeard());
  sink.destroy();
});
