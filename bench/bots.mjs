// Two bots side by side on a private server: what each loses, how loud each is in the streams of the other, and what they leave.
// Usage: node test/servers.mjs pulse|pipewire node bench/bots.mjs [--minutes 10] [--starts 50]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { ToneSource, VirtualMicSink, VirtualSpeakerSource } from 'patchcord';

import { Ear } from './parts/ear.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, starts: { type: 'string' } },
});
const minutes = Number(values.minutes ?? 10);
const starts = Number(values.starts ?? 50);
const rate = 48000;
const gain = 0.25;
const format = ['--raw', '--format=float32le', `--rate=${rate}`, '--channels=2'];
const folder = mkdtempSync(join(tmpdir(), 'patchcord-bots-'));
const children = [];

function child(command, env, stdio) {
  const started = spawn('sh', ['-c', command], {
    env: { ...process.env, ...env },
    stdio,
    detached: true,
  });
  children.push(started);
  return started;
}

// One second of a tone again and again, by programs that this process does not feed.
function play(frequency, env) {
  const second = Float32Array.from(
    { length: 2 * rate },
    (_, i) => gain * Math.sin((2 * Math.PI * frequency * (i >> 1)) / rate),
  );
  const file = join(folder, String(frequency));
  writeFileSync(file, Buffer.from(second.buffer));
  child(
    `while cat ${file}; do :; done | pacat ${format.join(' ')} --latency-msec=2000`,
    env,
    'ignore',
  );
}

async function until(condition) {
  while (!condition()) await delay(20);
}

const ours = () => {
  const list = (what) => execFileSync('pactl', ['list', 'short', what], { encoding: 'utf8' });
  const count = (text, part) => text.split('\n').filter((line) => line.includes(part)).length;
  return {
    modules: count(list('modules'), 'patchcord'),
    sinks: count(list('sinks'), 'patchcord'),
    streams: count(list('source-outputs'), '\t') + count(list('sink-inputs'), '\t'),
  };
};

async function sideBySide() {
  const tones = [700, 1100, 1300, 1700];
  const bots = await Promise.all(
    [0, 1].map(async (index) => {
      const speaker = await VirtualSpeakerSource.open({ name: 'Bot', bufferMs: 10_000 });
      const mic = await VirtualMicSink.open({ name: 'Bot', latencyMs: 60 });
      const env = { ...speaker.environment(), ...mic.environment() };
      new ToneSource({ frequency: tones[2 + index], gain, durationMs: 86_400_000 }).pipe(mic);
      play(tones[index], env);
      const ear = new Ear(tones[index], tones);
      const witness = new Ear(tones[2 + index], tones);
      const reported = [];
      speaker.on('discontinuity', ({ frame, frames }) => reported.push([frame, frames]));
      const underruns = [];
      mic.on('underrun', ({ frames }) => underruns.push(frames));
      const chunks = speaker.chunks();
      const reading = (async () => {
        for await (const { data } of chunks) ear.hear(data);
      })();
      const recorder = child(`parec ${format.join(' ')} --latency-msec=100`, env, [
        'ignore',
        'pipe',
        'ignore',
      ]);
      recorder.stdout.on('data', (bytes) => witness.hear(bytes));
      await until(() => witness.begun);
      const silentBefore = mic.stats().silentFrames;
      return { speaker, mic, ear, witness, reported, reading, underruns, silentBefore };
    }),
  );
  await delay(minutes * 60_000);
  const rows = [];
  for (const { speaker, mic, ear, witness, reported, reading, underruns, silentBefore } of bots) {
    const elapsed = Number(process.hrtime.bigint() - speaker.timeAt(0)) / 1e9;
    const stats = speaker.stats();
    const { frames } = stats;
    await speaker.close();
    await reading;
    const sum = (all) => all.reduce((total, [, count]) => total + count, 0);
    rows.push({
      'seconds (clock, stream)': `${elapsed.toFixed(2)}, ${(frames / rate).toFixed(2)}`,
      'silent frames in the tone': sum(ear.silences),
      'reported frames': sum(reported),
      lostFrames: stats.lostFrames,
      'own level dBFS': `${ear.least.toFixed(2)} to ${ear.most.toFixed(2)}`,
      'loudest other dBFS': ear.loudestOther.toFixed(1),
      'recorded: silent frames': sum(witness.silences),
      'recorded: loudest other dBFS': witness.loudestOther.toFixed(1),
      'by underrun events': underruns.reduce((sum, frames) => sum + frames, 0),
      'by stats()': mic.stats().underrunFrames + mic.stats().silentFrames - silentBefore,
      underruns: underruns.length,
    });
    mic.destroy();
  }
  for (const one of children.splice(0)) {
    try {
      process.kill(-one.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  return rows;
}

async function startAndStop() {
  const before = ours();
  for (let k = 0; k < starts; k++) {
    const speaker = await VirtualSpeakerSource.open({ name: 'Bot' });
    const mic = await VirtualMicSink.open({ name: 'Bot' });
    await Promise.all([speaker.close(), mic.close()]);
  }
  return { starts, before: JSON.stringify(before), after: JSON.stringify(ours()) };
}

try {
  console.table(await sideBySide());
  await delay(2000);
  console.table([await startAndStop()]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
