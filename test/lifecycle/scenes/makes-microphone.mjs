// Makes a virtual microphone and ends: `node makes-microphone.mjs end|exit|throw|worker-exit|
// worker-throw|worker-terminated|exit-beside-worker|exit-while-making|exit-in-handler|wait`.
import process from 'node:process';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

import { VirtualMicSink } from 'patchcord';

const how = isMainThread ? process.argv[2] : workerData;

async function make() {
  const sink = new VirtualMicSink({ name: 'Left behind' });
  return sink.ready;
}

function worker(data) {
  const child = new Worker(fileURLToPath(import.meta.url), { workerData: data });
  child.on('error', () => {});
  return child;
}

const ends = {
  end: async () => (await make()).unref(),
  exit: async () => {
    await make();
    process.exit(7);
  },
  throw: async () => {
    await make();
    setImmediate(() => {
      throw new Error('thrown on purpose');
    });
  },
  'worker-exit': () => worker('exit'),
  'worker-throw': () => worker('throw'),
  'worker-terminated': () => {
    const child = worker('wait');
    child.once('message', () => void child.terminate());
  },
  'exit-beside-worker': () => worker('wait').once('message', () => process.exit(7)),
  'exit-while-making': () => {
    void make();
    setTimeout(() => process.exit(7), 20);
  },
  'exit-in-handler': async () => {
    const sink = await make();
    sink.once('close', () => process.exit(7));
    sink.destroy();
  },
  wait: async () => {
    await make();
    console.log('ready');
    if (!isMainThread) (await import('node:worker_threads')).parentPort.postMessage('ready');
    process.once('SIGUSR2', () => process.exit(7));
    setInterval(() => {}, 1000);
  },
};
await ends[how]();
