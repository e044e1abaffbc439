// How many threads simulated worlds leave behind: `node --expose-gc worlds.mjs real|manual HOW TIMES`.
// HOW: `disposed`, also with a stream that is still open; `dropped`.
import { readdirSync } from 'node:fs';
import process from 'node:process';
import { MicSource } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const [clock, how, times] = process.argv.slice(2);
const threads = () => readdirSync('/proc/self/task').length;

async function use(i) {
  const audio = new SimulatedAudio({ clock });
  const mic = new MicSource({ backend: audio, recover: false });
  mic.on('error', () => {});
  if (clock === 'real') await mic.ready;
  const closed = new Promise((resolve) => mic.once('close', resolve));
  if (how === 'dropped' || i % 2 === 0) {
    mic.destroy();
    await closed;
  }
  if (how === 'dropped') return;
  await audio[Symbol.asyncDispose]();
  // A stream that was open ends, because its device is gone.
  await closed;
}

await use(0);
globalThis.gc();
const before = threads();
for (let i = 0; i < Number(times); i++) await use(i);
// Nothing but the disposal, or the collector, has freed them.
for (let i = 0; how === 'dropped' && i < 20; i++) {
  globalThis.gc();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log(JSON.stringify({ more: threads() - before }));
