// Streams without a reference that were not ended, and are not collected: `node
// --expose-gc dropped.mjs`. Prints their names.
import { setTimeout as sleep } from 'node:timers/promises';
import { Gain, LevelMeter, MicSource, Mixer, Resampler } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const alive = new Map();
const registry = new FinalizationRegistry((name) => alive.set(name, alive.get(name) - 1));
function drop(name, object) {
  alive.set(name, (alive.get(name) ?? 0) + 1);
  registry.register(object, name);
  return object;
}

const audio = new SimulatedAudio();
for (let i = 0; i < 20; i++) {
  drop('a mixer with an input', new Mixer()).createInput();
  drop('a mixer with a written input', new Mixer())
    .createInput({ format })
    .write(Buffer.alloc(800));
  const read = drop('a mixer that is read', new Mixer());
  read.createInput({ format }).write(Buffer.alloc(80_000));
  read.on('data', () => {});
  for (const Class of [Gain, LevelMeter, Resampler]) {
    const transform = drop(`a ${Class.name}`, new Class({ from: format }));
    transform.resume();
    transform.write(Buffer.alloc(800));
  }
  const pumped = drop('a mixer that is pumped', new Mixer());
  drop('an input that nothing is written to', pumped.createInput({ format }));
  const mic = new MicSource({ backend: audio });
  mic.pipe(pumped.createInput());
  await mic.ready;
  await mic.close();
}
const left = () => [...alive].filter(([, count]) => count > 1).map(([name]) => name);
for (let i = 0; i < 50 && left().length > 0; i++) {
  globalThis.gc();
  await sleep(20);
}
console.log(JSON.stringify(left()));
