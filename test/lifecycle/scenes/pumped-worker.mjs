// A worker whose mixer is pumped with sixty written inputs while a microphone is mixed, for whoever ends
// it: `mixing` (terminated while all of it runs) or `stopping` (while its streams are being closed).
import { parentPort, workerData } from 'node:worker_threads';
import { LevelMeter, LoopbackSource, MicSource, Mixer } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const audio = new SimulatedAudio();
audio.device('mic').play(tone(440));
const mic = new MicSource({ backend: audio });
const loopback = new LoopbackSource({ backend: audio });
const mixer = new Mixer();
mixer.resume();
mic.pipe(new LevelMeter({ intervalMs: 10 })).pipe(mixer.createInput());
loopback.pipe(mixer.createInput());
await Promise.all([mic.ready, loopback.ready]);
// They underrun one after the other, from 40 ms on: each is an event for JavaScript.
const inputs = Array.from({ length: 60 }, (_, i) => {
  const bufferMs = 40 + 3 * i;
  const input = mixer.createInput({ format, bufferMs });
  input.write(Buffer.alloc(48 * bufferMs * 8));
  return input;
});
parentPort.postMessage('running');
if (workerData === 'stopping') void Promise.all([mic.close(), loopback.close(), mixer.close()]);
setInterval(() => inputs, 1e6);
