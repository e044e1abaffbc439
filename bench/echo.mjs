// Compares echo cancellers: ours, AEC3, speexdsp, WebRTC's canceller before AEC3. bench/echo/scenes.py makes the
// rooms, loudspeakers, noise, talkers and faults, so that all parts are known; bench/echo/measure.py judges. Both
// need python3 with numpy and scipy, ffmpeg and espeak-ng; Debian's asterisk-core-sounds-{en,es,fr,ru}-g722 has the
// voices. The program leaves recordings in bench/results/echo/listen, and a picture of them beside it.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { buildNative } from './native.mjs';
import { peer, whyNoPeers } from './peers.mjs';
import { lineChart } from './plot.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = here('results/echo');

const measures = [
  ['ERLE in the first second, dB', 'first', 1],
  ['ERLE converged, dB', 'converged', 1],
  ['ERLE in the second after double-talk, dB', 'afterTalk', 1],
  ['ERLE in the first second in another room, dB', 'room1', 1],
  ['ERLE in the second one, dB', 'room2', 1],
  ['ERLE after five seconds there, dB', 'roomLater', 1],
  ['double-talk: talker over all else (SI-SDR), dB', 'talker', 1],
  ['double-talk: level of the talker, dB', 'kept', 1],
  ['double-talk: likeness of the talker, 0 to 1', 'alike', 2],
  ['delay, ms', 'delay', 1],
  ['share of a core, %', 'cpu', 2],
];

/** @param {{ seeds: number[] }} options */
export async function echo({ seeds }) {
  if (spawnSync('python3', ['-c', 'import numpy, scipy']).status !== 0)
    throw new Error('absent: python3 with numpy and scipy');
  const { program, libraries, absent } = await buildNative('echo');
  for (const line of absent) console.log(line);
  const engines = {
    patchcord: [program, 'moderate'],
    'patchcord, high': [program, 'high'],
    'patchcord, off': [program, 'off'],
  };
  const reason = whyNoAec3();
  if (reason) console.log(`absent: AEC3 (${reason})`);
  else engines.AEC3 = [process.execPath, here('parts/aec3.mjs')];
  if (libraries.includes('speexdsp')) engines.speexdsp = [program, 'speexdsp'];
  if (libraries.includes('webrtc')) engines['WebRTC before AEC3'] = [program, 'webrtc-old'];

  mkdirSync(folder, { recursive: true });
  const job = { folder, rates: { 16000: seeds, 48000: seeds }, scenes: null, engines };
  writeFileSync(`${folder}/job.json`, JSON.stringify(job));
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const options = { maxBuffer: 1 << 28, env };
  const { stdout } = await run('python3', [here('echo/measure.py'), `${folder}/job.json`], options);
  const rows = JSON.parse(stdout);

  const tables = {};
  for (const rate of [16000, 48000]) {
    const at = rows.filter((row) => row.rate === rate && row.scene !== 'headset');
    tables[`Echo at ${rate / 1000} kHz`] = measures.map(([title, key, digits]) => ({
      measure: title,
      ...perEngine(engines, at, (own) => mean(own.map((row) => row[key])).toFixed(digits)),
    }));
  }
  tables['Echo, the worst tenth'] = measures.slice(0, 7).map(([title, key, digits]) => ({
    measure: title,
    ...perEngine(
      engines,
      rows.filter(({ scene }) => scene !== 'headset'),
      (own) => tenth(own.map((row) => row[key])).toFixed(digits),
    ),
  }));
  const names = [...new Set(rows.map(({ scene }) => scene))];
  tables['Echo by scene'] = names.map((scene) => {
    const own = rows.filter((row) => row.scene === scene);
    const both = (key) =>
      ['patchcord', 'AEC3', 'speexdsp']
        .filter((engine) => engine in engines)
        .map((engine) => mean(of(own, engine).map((row) => row[key])).toFixed(1))
        .join(' / ');
    return {
      scene,
      'first second': both('first'),
      converged: both('converged'),
      'another room, 1st s': both('room1'),
      'talker, SI-SDR': both('talker'),
    };
  });
  return {
    note: `means over ${names.length - 1} scenes (all but the headset) with seeds ${seeds.join(', ')}`,
    tables,
    plots: { 'echo-erle.svg': chart(engines, rows) },
    data: rows.map((row) => ({ ...row, curve: undefined })),
  };
}

function whyNoAec3() {
  const reason = whyNoPeers();
  if (reason) return reason;
  try {
    peer.resolve('@livekit/rtc-ffi-bindings');
    return undefined;
  } catch {
    return 'npm ci in bench/peers';
  }
}

const of = (rows, engine) => rows.filter((row) => row.engine === engine);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const tenth = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 10)];

function perEngine(engines, rows, figure) {
  return Object.fromEntries(
    Object.keys(engines).map((engine) => [engine, figure(of(rows, engine))]),
  );
}

function chart(engines, rows) {
  const base = rows.filter(({ scene }) => scene !== 'headset');
  const names = Object.keys(engines).filter((name) => !name.includes('high'));
  return lineChart({
    title: 'How much lower the echo is: both talk from 12.2 to 20 s, another room at 24 s',
    x: { label: 'seconds', from: 0, to: 32, ticks: [0, 4, 8, 12, 16, 20, 24, 28, 32] },
    y: { label: 'ERLE, dB', from: 0, to: 45, ticks: [0, 10, 20, 30, 40] },
    series: names.map((name) => {
      const curves = of(base, name).map(({ curve }) => curve);
      const talking = ({ seconds }) => seconds > 12 && seconds < 20.25;
      const points = curves[0]
        .map((_, i) => ({
          seconds: 0.5 + 0.25 * (i + 0.5),
          erle: mean(curves.map((curve) => curve[i]).filter((value) => value !== 0)),
        }))
        .filter((point) => !talking(point) && Number.isFinite(point.erle));
      return { name, points: points.map(({ seconds, erle }) => [seconds, erle]) };
    }),
  });
}
