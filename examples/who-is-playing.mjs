// Shows a table of the programs that make sound, and redraws it when they start, stop and change.
//
//     node examples/who-is-playing.mjs [--seconds 60]
import { parseArgs } from 'node:util';

import { listDevices, ProcessMonitor } from 'patchcord';

import { decibels, meterBar } from './meters.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });

const monitor = new ProcessMonitor({ levelMs: 250 });
try {
  await monitor.ready;
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const names = new Map((await listDevices({ flow: 'output' })).map(({ id, name }) => [id, name]));

monitor.on('add', ({ displayName, pid }) => console.log(`+ ${displayName} (${pid})`));
monitor.on('remove', ({ displayName, pid }) => console.log(`- ${displayName} (${pid})`));

let lines = 0;
function draw(processes) {
  // On a terminal the table is redrawn in place.
  if (process.stdout.isTTY && lines > 0) process.stdout.write(`\x1b[${lines}A\x1b[J`);
  const rows = processes.map(({ name, pid, levelDb, volume, muted, state, devices }) => {
    const meter = meterBar({ peakDb: levelDb, rmsDb: levelDb });
    const how = muted ? 'muted' : `${Math.round(volume * 100)} %`;
    const where = devices.map((id) => names.get(id) ?? id).join(', ');
    const who = `${name} (${pid})`.padEnd(28);
    return `${who} ${meter} ${decibels(levelDb)} dBFS  ${how}  ${state}  ${where}`;
  });
  if (rows.length === 0) rows.push('no program makes sound');
  lines = rows.length;
  console.log(rows.join('\n'));
}

monitor.on('level', draw);
draw(monitor.processes);
// A monitor does not keep the process alive, but this timer does.
setTimeout(() => monitor.close(), Number(values.seconds) * 1000);
