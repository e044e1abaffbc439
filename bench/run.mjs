// `npm run bench`: measures, prints tables, and writes tables, plots and all figures to bench/results.
//
//     npm run bench -- [--minutes N] [--seconds N] [--rounds N] [--hours N] [--seeds N,N] [--docs] [PART...]
//
// Parts: resampler, mixer, drift, stalls, delivery, cpu, blocked, pipeline, times, memory, kernels, echo, echo-live.
// --minutes is how long the memory part streams (0.2), --seconds how long the pipeline and times parts record (15),
// --rounds how often resampler and mixer compare (7), --hours of simulated time for drift (1), --seeds those of echo's
// scenes (6,7), --live-minutes the simulated time of echo-live (10). --docs puts what was measured into
// docs/performance.md and docs/echo.md, between their marks, and the plots beside them. Each figure stands beside the
// machine's load and, where it is a time or a share, beside a baseline of the same run. It uses the built package:
// `npm run build` comes first.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { startPipeWire, startPulseAudio, whyAbsent } from '../test/servers.mjs';
import { drift } from './drift.mjs';
import { echo } from './echo.mjs';
import { echoLive } from './echo-live.mjs';
import { buildInstruments, fixed } from './measure.mjs';
import { mixer } from './mixer.mjs';
import { lineChart } from './plot.mjs';
import { resampler } from './resampler.mjs';
import { stalls } from './stalls.mjs';
import { markdown, putIntoDocs } from './tables.mjs';
import { times as timesOf, timesInWine } from './times.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '0.2' },
    seconds: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '7' },
    hours: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '6,7' },
    'live-minutes': { type: 'string', default: '10' },
    docs: { type: 'boolean', default: false },
  },
});
const parts = {
  resampler,
  mixer,
  drift,
  stalls,
  delivery,
  cpu,
  blocked,
  pipeline,
  times,
  memory,
  kernels,
  echo,
  'echo-live': echoLive,
};
for (const name of positionals) {
  if (!(name in parts))
    throw new Error(`no part '${name}'; there are ${Object.keys(parts).join(', ')}`);
}

// The systems to measure on, and how a process finds each.
const systems = [{ name: 'simulated', env: { PATCHCORD_BACKEND: 'simulated' } }];
const servers = { pulse: startPulseAudio, pipewire: startPipeWire };
for (const [name, start] of Object.entries(servers)) {
  const reason = whyAbsent(name);
  if (reason) console.log(`absent: ${name} (${reason})`);
  else systems.push({ name, start });
}

const machine = { node: process.version, processors: `${cpus().length} x ${cpus()[0].model}` };
await buildInstruments();
mkdirSync(here('results'), { recursive: true });
const options = {
  rounds: Number(values.rounds),
  hours: Number(values.hours),
  seeds: values.seeds.split(',').map(Number),
  liveMinutes: Number(values['live-minutes']),
};
for (const [name, measure] of Object.entries(parts)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const loadBefore = loadavg()[0];
  const made = await measure(options);
  const { note, tables, plots, data } = Array.isArray(made) ? { tables: { [name]: made } } : made;
  const load = `load ${loadBefore.toFixed(1)} before, ${loadavg()[0].toFixed(1)} after`;
  const kept = { machine, loadBefore, loadAfter: loadavg()[0], note, tables, data };
  writeFileSync(here(`results/${name}.json`), `${JSON.stringify(kept, null, 2)}\n`);
  for (const [title, rows] of Object.entries(tables)) {
    const heading = [load, note].filter(Boolean).join('; ');
    console.log(`\n${title} (${heading})\n\n${markdown(rows)}`);
    if (values.docs) putIntoDocs(title, `${markdown(rows)}\n${sentence(heading)}\n`);
  }
  for (const [file, svg] of Object.entries(plots ?? {})) {
    writeFileSync(here(`results/${file}`), svg);
    if (values.docs) writeFileSync(here(`../docs/performance/${file}`), svg);
  }
}
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

async function part(name, args, env, nodeArgs = []) {
  const command = [...nodeArgs, here(`parts/${name}.mjs`), ...args.map(String)];
  const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 26 };
  const { stdout } = await run(process.execPath, command, options);
  return JSON.parse(stdout);
}

// Runs each system in turn with its private server.
async function each(names, measure) {
  const rows = [];
  for (const { name, env, start } of systems.filter((one) => names.includes(one.name))) {
    const server = await start?.();
    try {
      rows.push(...(await measure(name, env ?? { ...server.env, PATCHCORD_BACKEND: 'pulse' })));
    } finally {
      await server?.stop();
    }
  }
  return rows;
}

// Milliseconds from the end of a packet (or a chunk) to its 'data' event. The baseline is how late a 10 ms timer of
// an idle process is called.
async function delivery() {
  const timer = await part('timer', [8]);
  const series = [{ name: 'a 10 ms timer, idle process', points: timer.histogram }];
  const rows = await each(['simulated', 'pulse', 'pipewire'], async (system, env) => {
    const { packetMs, chunkMs, packetHistogram } = await part('delivery', [1, 8], env);
    series.push({ name: system, points: packetHistogram });
    return [
      {
        system,
        'packet p50': fixed(packetMs.p50),
        'packet p99': fixed(packetMs.p99),
        'chunk p50': fixed(chunkMs.p50),
        'chunk p99': fixed(chunkMs.p99),
        'timer p50': fixed(timer.lateMs.p50),
        'timer p99': fixed(timer.lateMs.p99),
      },
    ];
  });
  const plot = lineChart({
    title: "From a packet's last frame being heard to its 'data' event",
    x: {
      label: 'ms',
      from: 0.02,
      to: 20,
      log: true,
      ticks: [0.02, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20],
    },
    y: { label: '% of packets', from: 0, to: 60, ticks: [0, 20, 40, 60] },
    series: series.map(({ name, points }) => ({
      name,
      points: points.map(([at, share]) => [at, share * 100]),
    })),
  });
  return { tables: { delivery: rows }, plots: { 'delivery.svg': plot } };
}

// Per cent of one core. `per stream` is the cost above that of a process without streams; `timers` runs as many 10 ms
// timers instead of streams; `parec` is a process for each stream that records the same.
function cpu() {
  return each(['simulated', 'pulse'], async (system, env) => {
    const rows = [];
    const idle = (await part('cpu', ['streams', 0, 4], env)).percent;
    for (const streams of [1, 32]) {
      // One stream's share is small: only a longer measurement separates it from its start and from noise.
      const { percent } = await part('cpu', ['streams', streams, streams === 1 ? 15 : 4], env);
      const timers = await part('cpu', ['timers', streams, 4], env);
      rows.push({
        system,
        streams,
        'per stream %': fixed((percent - idle) / streams),
        'timers, each %': fixed((timers.percent - idle) / streams),
        'parec, each %':
          system === 'simulated' ? undefined : fixed(await parecPercent(streams, 4, env)),
      });
    }
    return rows;
  });
}

async function parecPercent(count, seconds, env) {
  const args = ['--raw', '--device=mic', '--format=float32le', '--rate=48000', '--latency-msec=10'];
  const all = Array.from({ length: count }, () =>
    spawn('parec', args, { env: { ...process.env, ...env }, stdio: 'ignore' }),
  );
  const ticks = () =>
    all.reduce((sum, { pid }) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return sum + Number(fields[11]) + Number(fields[12]);
    }, 0);
  await delay(2000);
  const before = ticks();
  await delay(seconds * 1000);
  // A tick is 10 ms, on every Linux that Node runs on.
  const percent = ticks() - before;
  for (const child of all) child.kill();
  return percent / seconds / count;
}

async function blocked() {
  const rows = [];
  for (const ms of [800, 3000]) {
    const { counted, announced, gaps } = await part('blocked', [ms]);
    rows.push({
      'blocked ms': ms,
      'frames counted as lost': counted,
      'frames announced': announced,
      'frames of silence found': gaps.reduce((sum, { frames }) => sum + frames, 0),
      'tone behind it is off by': gaps.length
        ? `${gaps.map(({ shift }) => shift).join()} frames`
        : '',
    });
  }
  return rows;
}

function pipeline() {
  return each(['pulse', 'pipewire'], async (system, env) => {
    const { tones, counted, latencyMs, seconds } = await part(
      'pipeline',
      [values.seconds, 200],
      env,
    );
    const events = Object.entries(counted).filter(([, n]) => n > 0);
    return tones.map(({ name, heard, baseline }) => ({
      system,
      from: name,
      seconds,
      'Hz off, worst second': fixed(heard.hzOff, 3),
      'dB off, worst second': fixed(heard.dbOff, 3),
      'SNR dB': fixed(heard.snrDb, 1),
      gaps: heard.gaps.length,
      'gaps, baseline': baseline.gaps.length,
      'SNR dB, baseline': fixed(baseline.snrDb, 1),
      counted: events.map(([key, n]) => `${key} ${n}`).join(', ') || 'nothing',
      'latency ms': fixed(latencyMs, 0),
    }));
  });
}

// Milliseconds between the time at which the player reports a frame and the time that a source gives to it.
async function times() {
  const seconds = Number(values.seconds) + 5; // the clock is learnt in the first five
  const rows = await each(['pulse', 'pipewire'], (system, env) =>
    timesOf({ system, seconds, env, capture: () => part('times', [seconds], env) }),
  );
  return [...rows, ...(await timesInWine(seconds))];
}

// RSS in MB; `growth` from the first of twelve samples to the last.
function memory() {
  return each(['simulated', 'pulse'], async (system, env) => {
    const seconds = Number(values.minutes) * 60;
    const { rssMb } = await part('memory', [seconds], env, ['--expose-gc']);
    const scene = here('../test/lifecycle/scenes/reopen.mjs');
    const { stdout } = await run(process.execPath, ['--expose-gc', scene, '1000'], {
      env: { ...process.env, ...env },
    });
    const { before, after } = JSON.parse(stdout);
    return [
      {
        system,
        what: `${values.minutes} min of streaming`,
        'first MB': fixed(rssMb[0], 1),
        'last MB': fixed(rssMb.at(-1), 1),
        'growth MB': fixed(rssMb.at(-1) - rssMb[0], 1),
      },
      {
        system,
        what: '1,000 re-opens, from the 200th',
        'first MB': fixed(before.rssMb, 1),
        'last MB': fixed(after.rssMb, 1),
        'growth MB': fixed(after.rssMb - before.rssMb, 1),
        files: `${before.files} to ${after.files}`,
        threads: `${before.threads} to ${after.threads}`,
      },
    ];
  });
}

async function kernels() {
  const times = await part('kernels', [20]);
  return Object.entries(times).map(([kernel, n]) => ({ kernel, 'x real time': Math.round(n) }));
}
