// The cost of capturing programs, and how soon a restarted program is captured. A separate command, on its own
// server:
//
//     node test/servers.mjs pulse node bench/programs.mjs [--taps 16] [--seconds 600] [--restarts 100]
//
// There are as many playing programs as taps. For --seconds each is captured by a ProcessSource whose chunks are
// read, and, in the second half, by its own `parec` as well: in per cent of one core, all threads of this process,
// and all parecs together. Then one program is ended and started again, --restarts times.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { ProcessSource } from 'patchcord';

import { createOutside } from '../test/windows/outside.mjs';
import { fixed, percentiles } from './measure.mjs';

const { values } = parseArgs({
  options: {
    taps: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '600' },
    restarts: { type: 'string', default: '100' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'patchcord-programs-'));
const outside = createOutside({ env: {}, folder });
const halfMs = (Number(values.seconds) * 1000) / 2;

// utime and stime of a process, s; a tick is 10 ms on every Linux that Node supports.
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function percentOf(pids, ms) {
  const total = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [before, start] = [total(), process.hrtime.bigint()];
  await delay(ms);
  return fixed((100 * (total() - before)) / (Number(process.hrtime.bigint() - start) / 1e9));
}

async function taps(count) {
  const players = [];
  for (let i = 0; i < count; i++) {
    players.push(await outside.play({ device: 'speakers', frequency: 200 + 100 * i }));
  }
  const sources = [];
  for (const player of players) {
    const { name } = await outside.identify({ player });
    const source = new ProcessSource({ process: name });
    source.on('data', () => {});
    await source.ready;
    sources.push(source);
  }
  await delay(2000);
  const alone = await percentOf([process.pid], halfMs);
  const inputs = JSON.parse(execFileSync('pactl', ['--format=json', 'list', 'sink-inputs']));
  const recorders = inputs.map(({ index }) =>
    spawn(
      'parec',
      [
        '--raw',
        '--format=float32le',
        '--rate=48000',
        '--latency-msec=10',
        `--monitor-stream=${index}`,
      ],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    ),
  );
  await delay(1000);
  const pids = recorders.map(({ pid }) => pid);
  const [beside, parec] = await Promise.all([
    percentOf([process.pid], halfMs),
    percentOf(pids, halfMs),
  ]);
  for (const recorder of recorders) recorder.kill();
  const stats = sources.map((source) => source.stats());
  const sum = (key) => stats.reduce((total, one) => total + one[key], 0);
  await Promise.all(sources.map((source) => source.close()));
  await Promise.all(players.map((player) => outside.stop({ player })));
  return {
    taps: count,
    seconds: Number(values.seconds),
    'patchcord, % of a core': alone,
    'beside parec, % of a core': beside,
    'parec, % of a core': parec,
    'frames lost': sum('lostFrames') + sum('readerLostFrames'),
  };
}

const inUse = (what) => readdirSync(`/proc/self/${what}`).length;

async function restarts(count) {
  const source = new ProcessSource({ process: /^outside-/, waitForProcess: true });
  source.on('data', () => {});
  await source.ready;
  const [delays, missed] = [[], []];
  let before;
  for (let i = 0; i < count; i++) {
    const attached = new Promise((resolve) => {
      source.once('attach', (tap) => resolve({ ...tap, at: process.hrtime.bigint() }));
    });
    const player = await outside.play({ device: 'speakers', frequency: 440 });
    const seen = process.hrtime.bigint();
    const { at, missedMs } = await attached;
    delays.push(Math.max(0, Number(at - seen) / 1e6));
    missed.push(missedMs);
    const detached = new Promise((resolve) => source.once('detach', resolve));
    await outside.stop({ player });
    await detached;
    if (i === 9)
      before = { files: inUse('fd'), threads: inUse('task'), rss: process.memoryUsage.rss() };
  }
  const after = { files: inUse('fd'), threads: inUse('task'), rss: process.memoryUsage.rss() };
  await source.close();
  const { p50, max } = percentiles(delays);
  return {
    restarts: count,
    'heard after, ms (median, most)': [fixed(p50, 1), fixed(max, 1)],
    'missed, ms (most)': fixed(Math.max(...missed), 1),
    'more files, threads, KiB since the 10th': before && [
      after.files - before.files,
      after.threads - before.threads,
      Math.round((after.rss - before.rss) / 1024),
    ],
  };
}

try {
  if (Number(values.taps) > 0) console.log(await taps(Number(values.taps)));
  if (Number(values.restarts) > 0) console.log(await restarts(Number(values.restarts)));
} finally {
  await outside.close();
  rmSync(folder, { recursive: true, force: true });
}
