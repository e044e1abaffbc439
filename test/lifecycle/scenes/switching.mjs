// A microphone's sound is sent from one of two outputs to the other and back, TIMES times, at moments that SEED
// decides, while two threads keep processors busy: `node --expose-gc switching.mjs TIMES SEED`. Prints how long after
// each setDevice() the output was heard, ms, and what the process then holds, against what it held when a fifth of
// that was done. For a server of test/servers.mjs.
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { LoopbackSource, MicSource, SpeakerSink, ToneSource } from 'patchcord';
import { held } from './held.mjs';

const [times, seed] = process.argv.slice(2).map(Number);
const outputs = ['Speakers', 'Headset'];
const longestPauseMs = 60;
// The sound from before the switch is over after so long; above this level it is not silence.
const threshold = 0.05;

const busy = `const end = () => {}; for (;;) { const until = Date.now() + 5; while (Date.now() < until);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2); }`;
const load = [0, 1].map(() => new Worker(busy, { eval: true }));

// mulberry32
let state = seed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const room = new SpeakerSink({ device: 'Microphone_Feed', latencyMs: 200, bufferMs: 4000 });
new ToneSource({ frequency: 997, gain: 0.25, durationMs: 3_600_000 }).pipe(room);
const mic = new MicSource();
const sink = new SpeakerSink({ device: outputs[0] });
mic.pipe(sink);
const ears = outputs.map((device) => new LoopbackSource({ device, channels: 1 }));
await Promise.all([mic.ready, sink.ready, ...ears.map((ear) => ear.ready)]);

// When an output was first heard from a moment on.
const waiting = [undefined, undefined];
ears.forEach(async (ear, index) => {
  for await (const { data, frames, time } of ear.chunks()) {
    const wait = waiting[index];
    if (!wait) continue;
    const samples = new Float32Array(data.buffer, data.byteOffset, frames);
    const first = Math.max(0, Math.ceil((Number(wait.from - time) * 48000) / 1e9));
    const at = samples.findIndex((sample, i) => i >= first && Math.abs(sample) > threshold);
    if (at < 0) continue;
    waiting[index] = undefined;
    wait.resolve(Number(time - wait.from) / 1e6 + at / 48);
  }
});
const heard = (index) =>
  new Promise((resolve) => (waiting[index] = { from: process.hrtime.bigint(), resolve }));

await delay(1000);
const after = [];
let before;
for (let i = 0; i < times; i++) {
  if (i === Math.ceil(times / 5)) before = await held();
  const next = (i + 1) % 2;
  const sounds = heard(next);
  await sink.setDevice(outputs[next]);
  after.push(Math.round(await sounds));
  await delay(random() * longestPauseMs);
}
const result = { after, before, now: await held(), stats: sink.stats() };
await Promise.all([mic.close(), ...ears.map((ear) => ear.close())]);
await sink.close();
room.destroy();
await Promise.all(load.map((worker) => worker.terminate()));
console.log(JSON.stringify(result));
