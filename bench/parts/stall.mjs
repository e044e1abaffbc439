// The effect of a disturbed event loop on a live pipe, as a part of bench/stalls.mjs:
//
//     node --expose-gc stall.mjs HOW manual | real
//
// A simulated microphone 100 ppm off its clock, through a mixer, into a sink, and into a reader in JavaScript, for
// the 2 s of the disturbance and a little longer. With the manual clock the world runs as fast as it can, three
// minutes of its time, on its own thread: the sink's device then plays the same in every run, and the program prints
// its digest. With the real clock gaps, underruns and the reader's losses are counted.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MicSource, Mixer, VirtualMicSink } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { report } from '../measure.mjs';

const [how, clock] = process.argv.slice(2);
const worldMs = clock === 'manual' ? 180_000 : 3500;
const audio = new SimulatedAudio({ clock });
audio.device('mic').play(tone(997));
audio.device('mic').drift(100);
const mic = new MicSource({ backend: audio, bufferMs: 3000 });
const mixer = new Mixer();
const sink = new VirtualMicSink({ backend: audio });
mic.pipe(mixer.createInput());
mixer.pipe(sink);
if (clock === 'real') mic.on('data', () => {});
await Promise.all([mic.ready, sink.ready]);
if (clock === 'real') await delay(1000);
audio.device('cable-input').record();

const start = performance.now();
let tookMs = 0;
const done = (clock === 'manual' ? audio.advance(worldMs) : delay(worldMs)).then(
  () => (tookMs = performance.now() - start),
);
const busyUntil = (end) => {
  while (performance.now() < end);
};
if (how === 'blocked for 2 s') busyUntil(start + 2000);
if (how === 'busy 30 of every 50 ms') {
  while (performance.now() < start + 2000) {
    busyUntil(performance.now() + 30);
    await delay(20);
  }
}
if (how === 'collecting garbage') {
  const keep = [];
  while (performance.now() < start + 2000) {
    for (let i = 0; i < 2000; i++) keep.push({ i, text: String(i) });
    if (keep.length > 200_000) keep.length = 0;
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
await done;
const { data, gaps } = audio.device('cable-input').recorded();
const { readerLostFrames } = mic.stats();
const { underruns } = sink.stats();
await Promise.all([sink.close(), mixer.close(), mic.close()]);
report({
  how,
  tookMs,
  digest: createHash('sha256').update(data).digest('hex'),
  playedFrames: data.length / 2,
  gaps: gaps.length,
  underruns,
  readerLostFrames,
});
