// Mixers called from JavaScript, as a part of bench/mixer.mjs: `node js-mixers.mjs INPUTS`, stereo s16 at 48 kHz,
// each as fast as it can. Prints how many times faster than real time each was.
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { Mixer } from 'patchcord';

import { report } from '../measure.mjs';
import { peer } from '../peers.mjs';

const inputs = Number(process.argv[2]);
const { AudioMixer } = peer('node-audio-mixer');
const other = peer('audio-mixer');
const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' };
const second = Buffer.from(
  Int16Array.from({ length: 96000 }, (_, i) => Math.round(6000 * Math.sin(i * 0.13))).buffer,
);
const chunk = second.subarray(0, 19200); // 100 ms

async function times(seconds, run) {
  const start = process.hrtime.bigint();
  const bytes = await run(seconds);
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  return bytes / (48000 * 4) / elapsed;
}

async function write(stream, seconds) {
  for (let i = 0; i < seconds * 10; i++) if (!stream.write(chunk)) await once(stream, 'drain');
  stream.end();
}

// Waits until all output has arrived, or none has for 2 s.
async function drained(readable, seconds) {
  let bytes = 0;
  let last = performance.now();
  readable.on('data', (data) => {
    bytes += data.length;
    last = performance.now();
  });
  while (bytes < seconds * 48000 * 4 && performance.now() - last < 2000) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return bytes;
}

async function ours(seconds) {
  const mixer = new Mixer({ sampleFormat: 's16' });
  let bytes = 0;
  mixer.on('data', (data) => (bytes += data.length));
  const all = Array.from({ length: inputs }, () => write(mixer.createInput({ format }), seconds));
  await Promise.all([...all, finished(mixer)]);
  return bytes;
}

async function nodeAudioMixer(seconds) {
  const mixer = new AudioMixer({ sampleRate: 48000, bitDepth: 16, channels: 2, autoClose: true });
  const done = drained(mixer, seconds);
  for (let i = 0; i < inputs; i++) {
    void write(mixer.createAudioInput({ sampleRate: 48000, bitDepth: 16, channels: 2 }), seconds);
  }
  return done;
}

async function audioMixer(seconds) {
  const mixer = new other.Mixer({ channels: 2, bitDepth: 16, sampleRate: 48000 });
  const done = drained(mixer, seconds);
  for (let i = 0; i < inputs; i++) {
    const input = new other.Input({ channels: 2, bitDepth: 16, sampleRate: 48000, volume: 100 });
    mixer.addInput(input);
    void write(input, seconds);
  }
  const bytes = await done;
  mixer.close();
  return bytes;
}

report({
  'patchcord, from JavaScript': await times(60, ours),
  'node-audio-mixer': await times(5, nodeAudioMixer),
  'audio-mixer': await times(2, audioMixer),
});
