// Native streams without a reference while they close: `node --expose-gc dropped-closing.mjs TIMES`.
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';

import { addon } from './addon.mjs';

const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' };
const capture = {
  loopback: false,
  hostClock: false,
  durationFrames: 0,
  maxFillMs: 10_000,
  maxWaitMs: 500,
};
const nothing = () => {};
const host = new addon.Host('simulated');

const make = [
  () => new addon.Source(host, { ...format, ...capture }, nothing),
  () => new addon.Sink(host, nothing, false, false),
];

const times = Number(process.argv[2]);
let closed = 0;
function drop(stream) {
  // So much is before it in the queue that the collection comes first.
  for (let i = 0; i < 200; i++) host.listDevices();
  // Twice: the second completion comes when the first may have released the stream.
  for (let i = 0; i < 2; i++) stream.close().then(() => closed++);
}
for (let i = 0; i < times; i++) {
  for (const one of make) drop(one());
  for (let j = 0; j < 3; j++) {
    globalThis.gc();
    await turn();
  }
}
while (closed < 4 * times) await turn();
console.log(closed);
