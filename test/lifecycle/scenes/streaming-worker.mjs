// A worker of workers.mjs: the whole pipeline, and a message at each stage.
import { parentPort } from 'node:worker_threads';
import { DeviceMonitor, LoopbackSource, MicSource, Mixer, VirtualMicSink } from 'patchcord';

const mic = new MicSource();
const loopback = new LoopbackSource();
const mixer = new Mixer();
const sink = new VirtualMicSink();
const monitor = new DeviceMonitor();
mic.pipe(mixer.createInput());
loopback.pipe(mixer.createInput());
mixer.pipe(sink);
parentPort.postMessage('constructed');
await Promise.all([mic.ready, loopback.ready, sink.ready, monitor.ready]);
parentPort.postMessage('ready');
await new Promise((resolve) => mixer.once('data', resolve));
parentPort.postMessage('flowing');
for (const stream of [mic, loopback, mixer, sink]) void stream.close();
parentPort.postMessage('closing');
setInterval(() => monitor, 60_000);
