// Workers end while their mixers are pumped and while their captures stop: `node pumped-workers.mjs TIMES`.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const times = Number(process.argv[2]);
for (let i = 0; i < times; i++) {
  const worker = new Worker(new URL('pumped-worker.mjs', import.meta.url), {
    workerData: i % 2 === 0 ? 'mixing' : 'stopping',
  });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await sleep((i * 7) % 60);
  await worker.terminate();
}
console.log(times);
