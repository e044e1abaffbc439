// Memory while the whole pipeline streams: `node --expose-gc memory.mjs SECONDS`. Takes twelve samples, the first
// after a fifth of the time.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LoopbackSource, MicSource, Mixer, VirtualMicSink } from 'patchcord';

import { report } from '../measure.mjs';

const seconds = Number(process.argv[2]);
const [mic, loopback, mixer, sink] = [
  new MicSource(),
  new LoopbackSource(),
  new Mixer(),
  new VirtualMicSink({ latencyMs: 200 }),
];
mic.pipe(mixer.createInput());
loopback.pipe(mixer.createInput());
mixer.pipe(sink);
let bytes = 0;
mixer.on('data', (chunk) => (bytes += chunk.length));
await Promise.all([mic.ready, loopback.ready, sink.ready]);

const rssMb = [];
await delay(seconds * 200);
for (let i = 0; i < 12; i++) {
  if (i > 0) await delay((seconds * 800) / 11);
  globalThis.gc();
  const status = readFileSync('/proc/self/status', 'utf8');
  rssMb.push(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) / 1024);
}
report({
  seconds,
  audioSeconds: bytes / 8 / 48000,
  rssMb,
  readerLost: mixer.stats().readerLostFrames,
});
