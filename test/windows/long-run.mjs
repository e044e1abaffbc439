// `npm run campaign:wine [-- --minutes 30] [--node 20|22|24]`: a microphone and what the speakers play, captured at
// once in Wine, for half an hour. The audio server itself plays a tone without an end into each, so that nothing
// but the capture can break it: every break in it must have been reported and counted. `parec`, which
// records both beside it, is judged likewise. Exits 1 for a break without a report.
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { buildInstruments, instruments } from '../../bench/measure.mjs';
import { crossBuildWindows, whyNoCrossCompiler } from '../../scripts/cross-windows.mjs';
import { startPulseAudio } from '../servers.mjs';
import { whyNoWine } from './prepare.mjs';
import { watchTone } from './tone-watch.mjs';
import { withWine } from './wine.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, node: { type: 'string', default: '20' } },
});
const minutes = Number(values.minutes);
const reason = whyNoWine() ?? whyNoCrossCompiler();
if (reason) {
  console.log(`absent: Wine (${reason}): nothing was captured`);
  process.exit(0);
}

const sampleRate = 48000;
const frequencies = { microphone: 997, loopback: 439 };
const sine = (sink, frequency) =>
  `module-sine sink=${sink} frequency=${frequency} rate=${sampleRate}`;
crossBuildWindows();
await buildInstruments();
const { findGaps } = await instruments();
const watch = (name) => watchTone({ findGaps, sampleRate, frequency: frequencies[name] });

// Runs as systems run what carries sound: before other programs, these here included.
const realTime = (pid) => execFileSync('chrt', ['--rr', '--all-tasks', '--pid', '5', String(pid)]);

// Frames of each track that somebody said were lost, or stand for nothing.
const told = { microphone: [], loopback: [] };
const tracks = { microphone: watch('microphone'), loopback: watch('loopback') };
let stats;

const server = createServer((socket) => {
  let rest = Buffer.alloc(0);
  let name;
  let begun = false;
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    if (!name) {
      name = rest.subarray(0, rest.indexOf('\n')).toString();
      rest = rest.subarray(name.length + 1);
    }
    while (rest.length >= 16) {
      const [frame, frames, flags] = [
        rest.readDoubleLE(0),
        rest.readUInt32LE(8),
        rest.readUInt32LE(12),
      ];
      if (rest.length < 16 + 4 * frames) return;
      const samples = new Float32Array(frames);
      Buffer.from(samples.buffer).set(rest.subarray(16, 16 + 4 * frames));
      rest = rest.subarray(16 + 4 * frames);
      // In its first seconds it opens, and learns the clock.
      if (!begun && (flags !== 0 || frame < 5 * sampleRate)) continue;
      begun = true;
      if (flags !== 0) told[name].push([frame, frames]);
      tracks[name].hear(samples, frame);
    }
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const modules = [sine('micfeed', frequencies.microphone), sine('speakers', frequencies.loopback)];
const pulse = await startPulseAudio({ modules });
realTime(pulse.pid);
try {
  const env = { ...pulse.env, NO_COLOR: '1' };
  await withWine({ node: values.node, env, log: console.log }, async (wine) => {
    const beside = {
      microphone: listen('mic', 'microphone'),
      loopback: listen('speakers.monitor', 'loopback'),
    };
    const program = [
      'test/windows/long-capture.mjs',
      String(minutes),
      String(server.address().port),
    ];
    const limitMs = (minutes + 2) * 60_000;
    let line = '';
    const onOutput = (text) => {
      const lines = (line + text).split(/\r?\n/);
      line = lines.pop();
      lines.forEach(take);
    };
    // Processes that Wine starts inherit it.
    realTime(process.pid);
    const running = wine.start([wine.node, ...program], { limitMs, onOutput });
    execFileSync('chrt', ['--other', '--all-tasks', '--pid', '0', String(process.pid)]);
    const { code, stderr } = await running.result;
    for (const [name, { stop, track }] of Object.entries(beside)) {
      stop();
      console.log(`parec, ${name}: ${track.gaps.length} breaks in ${track.seconds} s`);
    }
    if (code !== 0) throw new Error(`ended with ${code}\n${stderr}`);
  });
  const whole = Object.values(tracks).every(({ seconds }) => seconds >= minutes * 60 - 15);
  const untold = Object.keys(tracks).flatMap((name) => report(name));
  if (untold.length > 0 || !whole) process.exitCode = 1;
} finally {
  server.close();
  await pulse.stop();
}

function take(line) {
  if (!line.startsWith('{')) return console.log(line);
  const { track, announced, stats: counted } = JSON.parse(line);
  if (announced) told[track].push(announced);
  if (!counted) return;
  stats = counted;
  for (const name of Object.keys(tracks)) report(name);
}

// Finds the breaks without a report.
function report(name) {
  const near = sampleRate / 100;
  const { seconds, gaps, silentFrames } = tracks[name];
  const untold = gaps.filter(
    ({ from, to }) => !told[name].some(([at, n]) => at - near <= to && at + n + near >= from),
  );
  const {
    packets,
    lostFrames,
    silentFrames: silent,
    trimmedFrames,
    readerLostFrames,
  } = stats[name];
  console.log(
    `${name}: ${seconds} s, ${gaps.length} breaks, ${untold.length} untold; silent ${silentFrames} frames; ` +
      `counted: lost ${lostFrames}, silent ${silent}, trimmed ${trimmedFrames}, reader's ${readerLostFrames}; ` +
      `${packets} packets ${JSON.stringify(untold.slice(0, 5))}`,
  );
  return untold;
}

// Records a source with another program meanwhile.
function listen(device, name) {
  const format = ['--raw', '--format=float32le', `--rate=${sampleRate}`, '--channels=1'];
  const recorder = spawn('parec', [...format, `--device=${device}`, '--latency-msec=100'], {
    env: { ...process.env, ...pulse.env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const track = watch(name);
  let frame = 0;
  let rest = Buffer.alloc(0);
  recorder.stdout.on('data', (data) => {
    const bytes = Buffer.concat([rest, data]);
    const frames = Math.floor(bytes.length / 4);
    rest = bytes.subarray(4 * frames);
    const samples = new Float32Array(frames);
    Buffer.from(samples.buffer).set(bytes.subarray(0, 4 * frames));
    // Its first second may hold what was there before it came.
    if (frame >= sampleRate) track.hear(samples, frame);
    frame += frames;
  });
  return { track, stop: () => recorder.kill() };
}
