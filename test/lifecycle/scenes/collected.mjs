// Whether streams that were closed, destroyed or have failed are collected: `node --expose-gc
// collected.mjs`. Prints the names of those that are not.
import { setImmediate as turn } from 'node:timers/promises';
import {
  DeviceMonitor,
  LoopbackSource,
  MicSource,
  Mixer,
  SpeakerSink,
  VirtualMicSink,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const alive = new Set();
const registry = new FinalizationRegistry((name) => alive.delete(name));
function watch(name, object) {
  alive.add(name);
  registry.register(object, name);
  return object;
}
const closed = (stream) => new Promise((resolve) => stream.once('close', resolve));

async function closing() {
  const mic = watch('mic', new MicSource());
  const loopback = watch('loopback', new LoopbackSource());
  const mixer = watch('mixer', new Mixer());
  const sink = watch('sink', new VirtualMicSink());
  mic.pipe(watch('input', mixer.createInput()));
  loopback.pipe(watch('input 2', mixer.createInput()));
  mixer.pipe(sink);
  await new Promise((resolve) => mixer.once('data', resolve));
  const all = [mic, loopback, mixer, sink].map(closed);
  await Promise.all([mic.close(), loopback.close()]);
  await Promise.all(all);
}

async function destroying() {
  const mic = watch('destroyed mic', new MicSource());
  const mixer = watch('destroyed mixer', new Mixer());
  const sink = watch('destroyed sink', new SpeakerSink());
  mic.pipe(mixer.createInput());
  mixer.pipe(sink);
  await Promise.all([mic.ready, sink.ready]);
  const all = [mic, mixer, sink].map(closed);
  for (const stream of [mic, mixer, sink]) stream.destroy();
  await Promise.all(all);
}

async function failing() {
  const mic = watch('failed mic', new MicSource({ device: 'no such device' }));
  await new Promise((resolve) => mic.once('error', resolve));
}

async function iterating() {
  const mic = watch('iterated mic', new MicSource());
  let count = 0;
  for await (const { frames } of mic.chunks()) {
    count += frames;
    if (count > 4800) break;
  }
  await mic.close();
}

async function monitoring() {
  const monitor = watch('monitor', new DeviceMonitor());
  await monitor.ready;
  monitor.close();
}

async function simulating() {
  const audio = watch('world', new SimulatedAudio());
  const mic = watch('simulated mic', new MicSource({ backend: audio }));
  await new Promise((resolve) => mic.once('data', resolve));
  await mic.close();
}

for (const run of [closing, destroying, failing, iterating, monitoring, simulating]) await run();
// A collection may take several turns: wrappers of native objects go in a second one.
for (let i = 0; i < 50 && alive.size > 0; i++) {
  globalThis.gc();
  await turn();
}
console.log(JSON.stringify([...alive]));
