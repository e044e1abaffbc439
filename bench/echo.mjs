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
    'patchcord, stereo': [program, 'stereo'],
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
  const rooms = rows.filter(({ group, scene }) => group === 'rooms' && scene !== 'headset');
  const mono = Object.keys(engines).filter((engine) => engine !== 'patchcord, stereo');
  for (const rate of [16000, 48000]) {
    const at = rooms.filter((row) => row.rate === rate);
    tables[`Echo at ${rate / 1000} kHz`] = measures.map(([title, key, digits]) => ({
      measure: title,
      ...perEngine(mono, at, (own) => mean(own.map((row) => row[key])).toFixed(digits)),
    }));
  }
  tables['Echo, the goals'] = goalsOf(rooms, rows);
  tables['Echo, the worst tenth'] = measures.slice(0, 7).map(([title, key, digits]) => ({
    measure: title,
    ...perEngine(mono, rooms, (own) => tenth(own.map((row) => row[key])).toFixed(digits)),
  }));
  const others = ['patchcord', 'AEC3', 'speexdsp'].filter((engine) => engine in engines);
  const byScene = (group, columns, compared = others) =>
    [...new Set(rows.filter((row) => row.group === group).map(({ scene }) => scene))].map(
      (scene) => {
        const own = rows.filter((row) => row.scene === scene);
        const figures = (key) =>
          compared.map((engine) => mean(of(own, engine).map((row) => row[key])).toFixed(1));
        return {
          scene,
          ...Object.fromEntries(columns.map(([title, key]) => [title, figures(key).join(' / ')])),
        };
      },
    );
  tables['Echo by scene'] = byScene('rooms', [
    ['first second', 'first'],
    ['converged', 'converged'],
    ['another room, 1st s', 'room1'],
    ['talker, SI-SDR', 'talker'],
  ]);
  tables['Echo, what changes'] = byScene('events', [
    ['before', 'converged'],
    ['1st s after it', 'room1'],
    ['2nd s', 'room2'],
    ['after 5 s', 'roomLater'],
    ['talker, SI-SDR', 'talker'],
  ]);
  tables['Echo of two loudspeakers'] = byScene(
    'stereo',
    [
      ['first second', 'first'],
      ['converged', 'converged'],
      ['another room, 2nd s', 'room2'],
      ['talker, SI-SDR', 'talker'],
      ['share of a core, %', 'cpu'],
    ],
    ['patchcord', 'patchcord, stereo', ...others.slice(1)],
  );
  const scenes = new Set(rooms.map(({ scene }) => scene)).size;
  return {
    note: `means over ${scenes} scenes (all but the headset) with seeds ${seeds.join(', ')}`,
    tables,
    plots: { 'echo-erle.svg': chart(mono, rooms) },
    data: rows.map((row) => ({ ...row, curve: undefined })),
  };
}

// The goals: the measure, the key of a row, the goal as text, and whether our mean meets it beside AEC3's.
const goals = [
  [
    'ERLE converged, dB',
    'converged',
    '>= 35, above AEC3',
    (ours, aec3) => ours >= 35 && ours > aec3,
  ],
  ['ERLE in the first second, dB', 'first', '>= 31', (ours) => ours >= 31],
  ['another room, first second, dB', 'room1', '>= 28', (ours) => ours >= 28],
  ['another room, second one, dB', 'room2', '>= 33', (ours) => ours >= 33],
  ['double-talk, SI-SDR of the talker, dB', 'talker', '>= 16', (ours) => ours >= 16],
  ['double-talk, level of the talker, dB', 'kept', 'within 0.6', (ours) => ours >= -0.6],
  ['delay, ms', 'delay', '<= 5', (ours) => Math.round(10 * ours) <= 50],
  ['share of a core, %', 'cpu', '<= 1.5 at 48 kHz', (ours) => ours <= 1.5],
];

function goalsOf(rooms, rows) {
  const cells = (make) =>
    Object.fromEntries([16000, 48000].map((rate) => [`${rate / 1000} kHz`, make(rate)]));
  const ourRows = of(rows, 'patchcord');
  return [
    ...goals.map(([measure, key, goal, isMet]) => ({
      measure,
      goal,
      ...cells((rate) => {
        const [ours, aec3] = ['patchcord', 'AEC3'].map((engine) =>
          mean(of(rooms, engine).flatMap((row) => (row.rate === rate ? [row[key]] : []))),
        );
        const digits = key === 'cpu' ? 2 : 1;
        const verdict = isMet(ours, aec3) ? '' : ' (missed)';
        return `${ours.toFixed(digits)} / ${aec3.toFixed(digits)}${verdict}`;
      }),
    })),
    {
      measure: 'near end alone, reference silent',
      goal: 'bit for bit',
      ...cells((rate) => {
        const own = ourRows.filter((row) => row.rate === rate);
        return `${own.filter(({ exact }) => exact).length} of ${own.length} scenes`;
      }),
    },
  ];
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
  return Object.fromEntries(engines.map((engine) => [engine, figure(of(rows, engine))]));
}

function chart(engines, base) {
  const names = engines.filter((name) => !name.includes('high'));
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
