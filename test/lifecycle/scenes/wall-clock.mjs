// The wall clock is set while audio flows: `node wall-clock.mjs BY_SECONDS`, with wall_clock.cc in
// LD_PRELOAD. Prints the longest wait for a chunk of each stream from then on, and what they counted.
import { closeSync, openSync, writeSync } from 'node:fs';
import { LoopbackSource, MicSource, Mixer, ProcessSource } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const bySeconds = Number(process.argv[2]);
const audio = new SimulatedAudio();
const player = audio.addProcess({ name: 'player' });
player.play(tone(440), { device: 'speakers' });

const loopback = new LoopbackSource({ backend: audio });
const streams = {
  mixer: new Mixer(),
  program: new ProcessSource({ process: 'player', backend: audio }),
  unplugged: new MicSource({ device: 'mic', backend: audio }),
};
loopback.pipe(streams.mixer.createInput());
const last = {};
const longestWaitMs = {};
for (const [name, stream] of Object.entries(streams)) {
  stream.on('data', () => {
    const now = performance.now();
    longestWaitMs[name] = Math.max(longestWaitMs[name] ?? 0, now - (last[name] ?? now));
    last[name] = now;
  });
  await new Promise((resolve) => stream.once('data', resolve));
}

const wallBefore = Date.now();
const file = openSync(process.env.PATCHCORD_WALL_CLOCK, 'r+');
writeSync(
  file,
  new Uint8Array(BigInt64Array.of(BigInt(bySeconds) * 1_000_000_000n).buffer),
  0,
  8,
  0,
);
closeSync(file);
const wallSteppedMs = Date.now() - wallBefore;
audio.device('mic').unplug();
for (const name in streams) longestWaitMs[name] = 0;

const start = performance.now();
await new Promise((resolve) => setTimeout(resolve, 2500));
const end = performance.now();
for (const name in streams) longestWaitMs[name] = Math.max(longestWaitMs[name], end - last[name]);
console.log(JSON.stringify({ wallSteppedMs, tookMs: end - start, longestWaitMs }));
process.exit(0);
