// Makes a virtual microphone, or a virtual speaker, and ends: `node makes-device.mjs microphone|speaker
// end|exit|throw|worker-exit|worker-throw|worker-terminated|exit-beside-worker|exit-while-making|
// exit-in-handler|wait`.
import process from 'node:process';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

import { VirtualMicSink, VirtualSpeakerSource } from 'patchcord';

const [what, how] = isMainThread ? process.argv.slice(2) : workerData;

async function make() {
  const Device = what === 'speaker' ? VirtualSpeakerSource : VirtualMicSink;
  return new Device({ name: 'Left behind' }).ready;
}

function worker(data) {
  const child = new Worker(fileURLToPath(import.meta.url), { workerData: [what, data] });
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
    const stream = await make();
    stream.once('close', () => process.exit(7));
    stream.destroy();
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
