// A worker that closes its streams ends by itself, and one that forgets them can call process.exit().
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { MicSource } from 'patchcord';

if (isMainThread) {
  for (const way of ['close', 'exit', 'throw']) {
    const worker = new Worker(new URL(import.meta.url), { workerData: way });
    const messages = [];
    worker.on('message', (text) => messages.push(text));
    worker.on('error', (error) => messages.push(error.message));
    const code = await new Promise((resolve) => worker.once('exit', resolve));
    // Node does not say which comes first, a message or the error that follows it.
    console.log(way, code, messages.sort().join());
  }
} else {
  const mic = new MicSource();
  mic.once('data', () => {
    parentPort.postMessage('heard');
    if (workerData === 'exit') process.exit(3);
    if (workerData === 'throw') throw new Error('thrown on purpose');
    void mic.close();
  });
}
