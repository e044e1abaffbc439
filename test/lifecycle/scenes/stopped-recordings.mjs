// Records a microphone, a loopback, a program and a mix into files while something stands still twice, for 3 s:
// `node stopped-recordings.mjs WHO AFTER_MS SERVER PLAYER FOLDER`. WHO is `self` (this process), `server` (the process
// group SERVER) or `loop` (the event loop); it stands still AFTER_MS after the streams are open. PLAYER is the
// program's process. Prints what became of each stream.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { LoopbackSource, MicSource, Mixer, ProcessSource, WavWriter } from 'patchcord';

const [who, afterMs, server, player, folder] = process.argv.slice(2);
const standsMs = 3000;
const now = () => Number(process.hrtime.bigint()) / 1e6;

function make() {
  const mic = new MicSource({ backend: 'pulse' });
  const loopback = new LoopbackSource({ backend: 'pulse' });
  const program = new ProcessSource({ backend: 'pulse', process: Number(player) });
  const mixer = new Mixer();
  loopback.pipe(mixer.createInput());
  return { streams: [mic, loopback, program, mixer], sources: [mic, loopback, program] };
}

async function stand() {
  if (who === 'loop') {
    for (const until = now() + standsMs; now() < until;);
    return;
  }
  const target = who === 'self' ? process.pid : `-${server}`;
  const script = `kill -STOP ${target}; sleep ${standsMs / 1000}; kill -CONT ${target}`;
  const stopper = spawn('setsid', ['sh', '-c', script], { stdio: 'ignore' });
  await new Promise((resolve) => stopper.once('close', resolve));
}

// How old the newest frame is when it comes. Within the time of a packet that is chance: the best of many looks.
async function agesOf(streams) {
  const best = streams.map(() => Infinity);
  for (const until = now() + 300; now() < until; await delay(1)) {
    streams.forEach((stream, i) => {
      const { frames } = stream.stats();
      best[i] = Math.min(best[i], now() - Number(stream.timeAt(frames)) / 1e6);
    });
  }
  return best;
}

const recorded = make();
const told = recorded.streams.map(() => []);
const files = recorded.streams.map((stream, i) => join(folder, `${i}.wav`));
const writers = recorded.streams.map((stream, i) => {
  stream.on('discontinuity', ({ frame, frames }) => told[i].push({ frame, frames }));
  return stream.pipe(new WavWriter(files[i]));
});
await Promise.all(recorded.sources.map(({ ready }) => ready));
await delay(Number(afterMs));
for (let i = 0; i < 2; i++) {
  await stand();
  await delay(2500);
}
const ages = await agesOf(recorded.streams);
const tooLongMs = recorded.streams.map((stream) => {
  const { frames } = stream.stats();
  return (
    (frames * 1000) / stream.format.sampleRate -
    Number(stream.timeAt(frames) - stream.timeAt(0)) / 1e6
  );
});
for (const stream of recorded.streams) await stream.close();
await Promise.all(
  writers.map((writer) => writer.closed || new Promise((resolve) => writer.once('close', resolve))),
);

// Streams that begin afterwards know nothing of it.
const later = make();
for (const stream of later.streams) stream.resume();
await Promise.all(later.sources.map(({ ready }) => ready));
await delay(2500);
const agesAfterwards = await agesOf(later.streams);

const results = recorded.streams.map((stream, i) => ({
  name: stream.constructor.name,
  file: files[i],
  stats: stream.stats(),
  told: told[i],
  startFrame: writers[i].startFrame,
  tooLateMs: ages[i] - agesAfterwards[i],
  tooLongMs: tooLongMs[i],
}));
console.log(JSON.stringify(results));
process.exit(0);
