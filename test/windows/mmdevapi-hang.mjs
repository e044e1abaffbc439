// `node.exe mmdevapi-hang.mjs open|start|stop|list|meter|worker`: a separate program, with the built package, and a
// driver that hangs (`open` and `start`: to the program's end). Prints the result as JSON and ends when
// nothing is left to do.
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { listDevices, MicSource } from '../../dist/index.mjs';
import { steerMmdevapi } from './mmdevapi-control.mjs';

const backend = 'wasapi';
const device = 'Microphone';

const streaming = async () => {
  const mic = new MicSource({ backend, device });
  await once(mic, 'data');
  return mic;
};
const failing = async () => (await once(new MicSource({ backend, device }), 'error'))[0];

if (isMainThread) {
  const windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  const { length } = await listDevices({ backend });
  const here = await windows.process(process.pid);

  const hang = async (call) => {
    await here.send(`hang * ${call}`);
    while ((await here.send('hanging')) === '0') await sleep(1);
  };
  const cases = {
    async open() {
      void hang('IAudioClient::Initialize');
      return (await failing()).code;
    },
    async start() {
      void hang('IAudioClient::Start');
      return (await failing()).code;
    },
    async stop() {
      const mic = await streaming();
      await hang('IAudioCaptureClient::GetBuffer');
      await mic.close();
      await here.send('mend');
      await streaming().then((another) => another.close());
      return 'closed';
    },
    async list() {
      await here.send('hang * IMMDeviceEnumerator::EnumAudioEndpoints');
      const { code } = await listDevices({ backend }).catch((reason) => reason);
      await here.send('mend');
      return (await listDevices({ backend })).length === length && code;
    },
    // Nothing but the end of the stream waits for it.
    async meter() {
      const mic = await streaming();
      await hang('IAudioMeterInformation::GetPeakValue');
      const { frames } = mic.stats();
      while (mic.stats().frames < frames + mic.format.sampleRate) await once(mic, 'data');
      await mic.close();
      await here.send('mend');
      await streaming().then((another) => another.close());
      return 'closed';
    },
    async worker() {
      const worker = new Worker(new URL(import.meta.url));
      await once(worker, 'message');
      await hang('IAudioCaptureClient::GetBuffer');
      await worker.terminate();
      // The call returns to the addon of a worker that is no more.
      await here.send('mend');
      await streaming().then((another) => another.close());
      return 'terminated';
    },
  };
  const start = performance.now();
  const outcome = await cases[process.argv[2]]();
  const seconds = (performance.now() - start) / 1000;
  await windows.close();
  console.log(JSON.stringify({ outcome, seconds }));
} else {
  await streaming();
  parentPort.postMessage('streams');
}
