// The cost of streams: `node cpu.mjs STREAMS SECONDS`. In per cent of one core, all threads of the process. With 0
// streams it measures the process alone; `timers` runs the same number of 10 ms timers instead of streams.
import { setTimeout as delay } from 'node:timers/promises';
import { MicSource } from 'patchcord';

import { report } from '../measure.mjs';

const [kind, count, seconds] = process.argv.slice(2);
let called = 0;
if (kind === 'timers') {
  for (let i = 0; i < Number(count); i++) setInterval(() => called++, 10);
} else {
  const sources = Array.from({ length: Number(count) }, () => new MicSource());
  await Promise.all(sources.map((source) => source.ready));
  for (const source of sources) source.on('data', () => called++);
}
await delay(2000);
const before = process.cpuUsage();
const start = process.hrtime.bigint();
await delay(Number(seconds) * 1000);
const { user, system } = process.cpuUsage(before);
const elapsedUs = Number(process.hrtime.bigint() - start) / 1000;
report({ percent: (100 * (user + system)) / elapsedUs, called });
