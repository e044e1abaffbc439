// The cost of a recording: a microphone, a loopback and their mix into three WAV files, by this package and by
// ffmpeg, in turns. A separate command, on its own server:
//
//     node test/servers.mjs pulse node bench/recording.mjs [--seconds 20] [--rounds 3]
//
// In per cent of one core, all threads of the recording process, from its third second on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { createOutside } from '../test/windows/outside.mjs';
import { fixed } from './measure.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'patchcord-recording-'));
const path = (name) => join(folder, `${name}.wav`);
const outside = createOutside({ env: {}, folder });
const input = (device) => ['-f', 'pulse', '-sample_rate', '48000', '-i', device];
const output = (stream, name) => ['-map', stream, '-c:a', 'pcm_f32le', path(name)];
const ways = {
  ours: [process.execPath, fileURLToPath(new URL('./parts/records.mjs', import.meta.url)), folder],
  ffmpeg: [
    'ffmpeg',
    ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-y'],
    ...[...input('mic'), ...input('speakers.monitor')],
    ...['-filter_complex', '[0:a]asplit[a][mic];[1:a]asplit[b][loopback];[a][b]amix[mix]'],
    ...[...output('[mic]', 'mic'), ...output('[loopback]', 'loopback'), ...output('[mix]', 'mix')],
  ],
};

// utime and stime of a process, s; a tick is 10 ms on every Linux that Node supports.
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function percentOf([command, ...args]) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  await delay(3000);
  const [before, start] = [cpuSeconds(child.pid), process.hrtime.bigint()];
  await delay(1000 * Number(values.seconds));
  const percent =
    (100 * (cpuSeconds(child.pid) - before)) / (Number(process.hrtime.bigint() - start) / 1e9);
  child.kill('SIGINT');
  await ended;
  for (const name of ['mic', 'loopback', 'mix']) {
    const { size } = statSync(path(name));
    if (size < Number(values.seconds) * 48_000 * 4) throw new Error(`${name}: ${size} bytes`);
  }
  return percent;
}

await outside.play({ device: 'micfeed', frequency: 1000 });
await outside.play({ device: 'speakers', frequency: 440 });
const percents = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, command] of Object.entries(ways)) percents[name].push(await percentOf(command));
}
console.log(`${cpus().length} x ${cpus()[0].model}`);
for (const [name, all] of Object.entries(percents)) {
  console.log(`${name}: ${all.map(fixed).join(', ')} % of a core`);
}
rmSync(folder, { recursive: true });
process.exit();
