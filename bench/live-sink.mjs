// Measures the latency that a sink adds to a live microphone, whether the latency stays the same, and every break
// in the sound. A separate command, on its own servers:
//
//     node bench/live-sink.mjs [--seconds N] [--latency MS] [--real-time] [--docs] [SYSTEM...]
//
// Systems: simulated, pulse, pipewire, wine, windows (the simulated Windows engine), windows-small (the same with
// periods of 2.67 ms and a fill of 4 ms); all, unless some are named. --seconds for each (30). --latency: the
// sink's latencyMs, not its default. --docs puts the table and the histogram into docs/performance.md. --real-time
// (root) runs all measured processes, and their server, with a higher priority than the rest of the machine.
// In Wine a native client's own latency (bench/native/render_client.cc) is measured before and after.
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { crossBuildWindows, crossCompiler, whyNoCrossCompiler } from '../scripts/cross-windows.mjs';
import { startPipeWire, startPulseAudio, whyAbsent } from '../test/servers.mjs';
import { buildMmdevapi } from '../test/windows/build-mmdevapi.mjs';
import { watchStalls } from '../test/stalls.mjs';
import { withSimulatedWindows } from '../test/windows/mmdevapi.mjs';
import { cableModules } from '../test/windows/outside.mjs';
import { whyNoWine } from '../test/windows/prepare.mjs';
import { withWine } from '../test/windows/wine.mjs';
import { rate } from './live-sound.mjs';
import { buildInstruments, fixed, percentiles } from './measure.mjs';
import { lineChart } from './plot.mjs';
import { markdown, putIntoDocs } from './tables.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const part = 'bench/parts/live-sink.mjs';
const pipewireQuantumMs = (1000 * 1024) / rate;

const noWine = () => whyNoWine() ?? whyNoCrossCompiler();
const systems = {
  simulated: {
    goal: 20,
    measure: () => onLinux({}, { backend: 'simulated', sink: { device: 'cable-input' } }),
  },
  pulse: { goal: 20, absent: () => whyAbsent('pulse'), measure: () => onServer(startPulseAudio) },
  pipewire: {
    goal: 10 + pipewireQuantumMs,
    absent: () => whyAbsent('pipewire'),
    measure: () => onServer(startPipeWire),
  },
  wine: { absent: noWine, measure: inWine },
  windows: { goal: 20, absent: noWine, measure: () => onWindows(480) },
  'windows-small': { goal: 10, absent: noWine, measure: () => onWindows(128) },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '30' },
    latency: { type: 'string' },
    docs: { type: 'boolean', default: false },
    'real-time': { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const fill = values.latency && { latencyMs: Number(values.latency) };
const optionsOf = ({ sink, ...others }) =>
  JSON.stringify({ seconds, ...others, sink: { ...sink, ...fill } });
for (const name of positionals) {
  if (!(name in systems))
    throw new Error(`no '${name}'; there are ${Object.keys(systems).join(', ')}`);
}

async function onLinux(env, options) {
  const args = [here(`../${part}`), optionsOf(options)];
  const { stdout } = await run(process.execPath, args, {
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  });
  return JSON.parse(stdout);
}

// Processes started from now on inherit the priority of this one; a server resets its own.
function realTime(pids) {
  if (!values['real-time']) return;
  for (const pid of pids) execFileSync('chrt', ['--rr', '--all-tasks', '--pid', '5', String(pid)]);
}

async function served(start, options) {
  const server = await start(options);
  const group = execFileSync('pgrep', ['-g', String(server.pid)], { encoding: 'utf8' });
  realTime(group.trim().split('\n'));
  return server;
}

async function onServer(start) {
  const server = await served(start);
  try {
    return await onLinux(server.env, { backend: 'pulse', sink: { name: 'Cable' } });
  } finally {
    await server.stop();
  }
}

async function inWine() {
  const server = await served(startPulseAudio, { modules: cableModules });
  try {
    return await withWine({ env: { ...server.env, NO_COLOR: '1' } }, async (wine) => {
      const client = renderClient(wine);
      const native = [];
      const half = String(Math.min(30, seconds));
      const measureNative = async () => {
        const args = [client, 'CABLE_Input', 'CABLE_Output', half];
        native.push(...JSON.parse((await inSession(wine, args)).stdout));
      };
      await measureNative();
      const options = { backend: 'wasapi', sink: { driver: 'vb-cable' } };
      const ours = await nodeIn(wine, options);
      await measureNative();
      return { ...ours, native: percentiles(native), nativeAdded: native };
    });
  } finally {
    await server.stop();
  }
}

// A session has an empty build/, but its own folder is complete.
function renderClient(wine) {
  const file = join(wine.folder, 'render_client.exe');
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-municode', '-static', '-s'];
  const defines = ['-DUNICODE', '-D_UNICODE', '-D_WIN32_WINNT=0x0A00', '-DINITGUID'];
  const source = here('native/render_client.cc');
  execFileSync(crossCompiler, [...flags, ...defines, '-o', file, source, '-lole32'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return `Z:${file.replaceAll('/', '\\')}`;
}

function onWindows(periodFrames) {
  return withSimulatedWindows({}, async (wine, env) => {
    const script = join(wine.folder, 'devices.txt');
    const period = `period ${periodFrames}`;
    writeFileSync(
      script,
      `cable feed_in feed_out 48000 2 f32 "Feed" "Room" ${period}\n` +
        `cable cable_in cable_out 48000 2 f32 "CABLE Input" "CABLE Output" ${period}\n`,
    );
    const small = periodFrames < 480;
    const options = {
      backend: 'wasapi',
      mic: 'Room',
      feed: 'Feed',
      sink: { device: 'CABLE Input', ...(small && { latencyMs: 4 }) },
    };
    return nodeIn(
      wine,
      { ...options, lowLatency: small },
      { ...env, PATCHCORD_MMDEVAPI_SCRIPT: `Z:${script.replaceAll('/', '\\')}` },
    );
  });
}

async function nodeIn(wine, options, env = {}) {
  // The tests' measuring tools, in a place that a session can read.
  const tools = join(wine.folder, 'instruments.js');
  copyFileSync(here('../build/bench/index.js'), tools);
  const variables = { ...env, PATCHCORD_INSTRUMENTS: `Z:${tools.replaceAll('/', '\\')}` };
  const args = [wine.node, part, optionsOf(options)];
  return JSON.parse((await inSession(wine, args, variables)).stdout);
}

async function inSession(wine, args, env = {}) {
  const done = await wine.run(args, { env, limitMs: (seconds + 120) * 1000 });
  if (done.code !== 0)
    throw new Error(`${args.join(' ')}: ${done.code}\n${done.stdout}${done.stderr}`);
  return done;
}

await buildInstruments();
if (!noWine()) {
  crossBuildWindows();
  buildMmdevapi();
}
realTime([process.pid]);
const rows = [];
const series = [];
const stalls = watchStalls(10);
for (const [name, { goal, absent, measure }] of Object.entries(systems)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const reason = absent?.();
  if (reason) {
    console.log(`absent: ${name} (${reason})`);
    continue;
  }
  stalls.reset();
  const { added, nativeAdded, ...told } = await measure();
  console.log(name, JSON.stringify(told, null, 1));
  rows.push({
    system: name,
    seconds,
    clicks: told.clicks,
    'added p50, ms': fixed(told.addedMs.p50, 1),
    'p99, ms': fixed(told.addedMs.p99, 1),
    'most, ms': fixed(told.addedMs.max, 1),
    'goal, ms': goal ? fixed(goal, 1) : `a native client: ${fixed(told.native.p99, 1)}`,
    'whole way, ms': fixed(told.wayMs.p50, 1),
    'reported by stats(), ms': fixed(told.toldMs, 1),
    'moved p50, p99, most, ms': Object.values(told.movedMs)
      .map((ms) => fixed(ms, 1))
      .join(', '),
    'lag, ms': [...new Set(told.lagMs.map((ms) => fixed(ms, 1)))].join(' to '),
    underruns: told.counted.underruns,
    'breaks heard': told.breaks.heard,
    'of the player': told.breaks['of the player'],
    counted: told.breaks.counted,
    'not counted': told.breaks.unexplained,
    'stalls of the machine': stalls.times,
  });
  series.push({ name, points: shares(added) });
  if (nativeAdded) series.push({ name: 'native client in Wine', points: shares(nativeAdded) });
}
console.log(`\n${markdown(rows)}`);
const plot = lineChart({
  title: 'What a sink adds to the way of a click',
  x: { label: 'ms', from: 0, to: 60, ticks: [0, 10, 20, 30, 40, 50, 60] },
  y: { label: '% of clicks', from: 0, to: 100, ticks: [0, 25, 50, 75, 100] },
  series,
});
mkdirSync(here('results'), { recursive: true });
writeFileSync(here('results/live-sink.svg'), plot);
writeFileSync(here('results/live-sink.json'), JSON.stringify(rows, null, 2));
if (values.docs) {
  const title = positionals.length > 0 ? 'live sink, long' : 'live sink';
  putIntoDocs(title, `${markdown(rows)}`);
  if (positionals.length === 0) writeFileSync(here('../docs/performance/live-sink.svg'), plot);
}

// The share of each half millisecond, in per cent.
function shares(values) {
  const bins = new Array(120).fill(0);
  for (const value of values) {
    bins[Math.min(bins.length - 1, Math.max(0, Math.floor(value * 2)))] += 100 / values.length;
  }
  return bins.map((share, i) => [i / 2, share]);
}
