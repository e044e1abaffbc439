// Workers that stream are terminated, `node workers.mjs TIMES`; the main thread streams all the while
// and must not notice. Each run ends its worker at a later moment, from its first message on.
import { Worker } from 'node:worker_threads';
import { MicSource } from 'patchcord';

const times = Number(process.argv[2]);
const moments = ['constructed', 'ready', 'flowing', 'closing'];

const mic = new MicSource();
let received = 0;
let lost = 0;
mic.on('data', (chunk) => (received += chunk.length));
mic.on('discontinuity', () => lost++);
await mic.ready;

for (let i = 0; i < times; i++) {
  const moment = moments[i % moments.length];
  const worker = new Worker(new URL('streaming-worker.mjs', import.meta.url));
  await new Promise((resolve, reject) => {
    worker.on('message', (reached) => reached === moment && resolve());
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`the worker left with ${code} before ${moment}`)),
    );
  });
  await worker.terminate();
}

const before = received;
while (received === before) await new Promise((resolve) => mic.once('data', resolve));
const later = new MicSource();
await new Promise((resolve) => later.once('data', resolve));
await Promise.all([mic.close(), later.close()]);
console.log(JSON.stringify({ terminated: times, lost }));
