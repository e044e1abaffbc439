// Measures what `isolation: 'process'` costs: the age of the frames that a reader gets, and processor time, beside a
// source of this process. Run it on a private server:
//
//     node test/servers.mjs pulse node bench/isolation.mjs [--seconds 20]
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { MicSource } from 'patchcord';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const ms = Number(values.seconds) * 1000;

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
const cpuSeconds = (pid) => (Number(stat(pid)[11]) + Number(stat(pid)[12])) / 100;
const children = () =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && Number(stat(pid)[1]) === process.pid;
    } catch {
      return false;
    }
  });

async function measure(isolation) {
  const mic = await MicSource.open({ isolation, channels: 1 });
  await delay(2000);
  const pids = [process.pid, ...children()];
  const total = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = total();
  const ages = [];
  const end = Date.now() + ms;
  for await (const { time, frames } of mic.chunks()) {
    ages.push(Number(process.hrtime.bigint() - time) / 1e6 - (frames * 1000) / 48000);
    if (Date.now() > end) break;
  }
  const percent = ((total() - before) * 100_000) / ms;
  await mic.close();
  ages.sort((a, b) => a - b);
  const at = (share) => ages[Math.floor(share * (ages.length - 1))].toFixed(1);
  console.log(
    `${isolation}: ${at(0.5)} ms (p95 ${at(0.95)}), ${percent.toFixed(1)} % of a core, lost ${mic.stats().lostFrames}`,
  );
}
for (let round = 0; round < 2; round++)
  for (const isolation of ['thread', 'process']) await measure(isolation);
console.log(`load ${loadavg()[0].toFixed(1)}`);
