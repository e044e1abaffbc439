// Workers are terminated in the middle of native calls, `node interrupted-workers.mjs TIMES`.
import { Worker } from 'node:worker_threads';

const times = Number(process.argv[2]);
for (let i = 0; i < times; i++) {
  const worker = new Worker(new URL('interrupted-worker.mjs', import.meta.url));
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
}
console.log(times);
