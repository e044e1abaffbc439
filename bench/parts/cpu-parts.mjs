// Where the cost of one stream goes: `node cpu-parts.mjs STEP SECONDS`, each step with what the ones before it
// do. In per cent of one core, all threads of the process.
//   timer: no stream, a 10 ms timer of Node's; device: a stream without a reader; read: each chunk wakes the
//   event loop and is copied into the same buffer; own: into a new buffer; data: comes as `data` event
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { MicSource } from 'patchcord';

import { report } from '../measure.mjs';

const [step, seconds] = process.argv.slice(2);
let called = 0;
if (step === 'timer') {
  setInterval(() => called++, 10);
} else {
  const mic = new MicSource();
  await mic.ready;
  if (step === 'data') {
    mic.on('data', () => called++);
  } else if (step !== 'device') {
    // The work of a Place for the readable side.
    const require = createRequire(import.meta.url);
    const { Tap } = require('../../build/Release/patchcord.node');
    const bytes = 480 * 8;
    let buffer;
    const drain = () => {
      for (;;) {
        buffer ??= Buffer.allocUnsafeSlow(bytes);
        if (!tap.read(buffer)) return;
        if (step === 'own') buffer = undefined;
        called++;
      }
    };
    const tap = new Tap(mic.producer, 48000, 'f32', new Float64Array(4), drain);
    drain();
    globalThis.tap = tap;
  }
}
await delay(2000);
const before = process.cpuUsage();
const start = process.hrtime.bigint();
await delay(Number(seconds) * 1000);
const { user, system } = process.cpuUsage(before);
const elapsedUs = Number(process.hrtime.bigint() - start) / 1000;
report({ percent: (100 * (user + system)) / elapsedUs, called });
