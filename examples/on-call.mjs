// Records calls. A recording begins when another program opens a microphone, and ends when no other program uses one.
// The left channel of each file is the microphone, the right channel is what the computer plays.
//
//     node examples/on-call.mjs [--out calls] [--linger 3] [--calls 1]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { captureMeeting, ProcessMonitor } from 'patchcord';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'calls' },
    // How many seconds a program may be without a microphone, as when the user chooses another one.
    linger: { type: 'string', default: '3' },
    // After so many calls the program ends.
    calls: { type: 'string', default: 'Infinity' },
  },
});
const lingerMs = Number(values.linger) * 1000;
let callsLeft = Number(values.calls);
if (!(lingerMs >= 0 && callsLeft > 0)) {
  console.error('--linger and --calls must be numbers');
  process.exit(2);
}
mkdirSync(values.out, { recursive: true });

let call; // the present recording
let hangUp; // the timer that ends it

const monitor = new ProcessMonitor({ flow: 'input' });
monitor.on('error', (error) => console.error(error.message)); // the monitor continues
for (const event of ['add', 'change', 'remove']) monitor.on(event, look);
// A monitor does not keep the process alive, but this timer does.
const alive = setInterval(() => {}, 60_000);
process.once('SIGINT', () => void quit());
try {
  await monitor.ready;
  console.log('waiting for a program that uses a microphone, Ctrl-C ends');
  look();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
  await quit();
}

function look() {
  // This program uses a microphone as well while it records.
  const callers = monitor.processes.filter(({ state, own }) => state === 'active' && !own);
  if (callers.length > 0) {
    clearTimeout(hangUp);
    hangUp = undefined;
    if (!call && callsLeft > 0) call = record(callers);
  } else if (call) {
    hangUp ??= setTimeout(() => void call?.meeting.close().catch(() => {}), lingerMs);
  }
}

function record(callers) {
  const names = callers.map(({ displayName }) => displayName).join(', ');
  const file = join(values.out, `call-${new Date().toISOString().replace(/[:.]/g, '-')}.wav`);
  const meeting = captureMeeting({
    tracks: 'stereo',
    format: { sampleRate: 48000, channels: 2, sampleFormat: 's16' },
  });
  console.log(`${names}: recording into ${file}`);
  const done = meeting.toFiles({ mix: file }).then(
    () => {
      const seconds = meeting.position / meeting.format.sampleRate;
      console.log(`${names}: the call has ended after ${seconds.toFixed(1)} s`);
    },
    (error) => console.error(`${names}: ${error.message}`),
  );
  void done.then(async () => {
    call = undefined;
    callsLeft--;
    if (callsLeft > 0) look();
    else await quit();
  });
  return { meeting, done };
}

async function quit() {
  monitor.close();
  clearInterval(alive);
  clearTimeout(hangUp);
  callsLeft = 0;
  await call?.meeting.close().catch(() => {});
  await call?.done;
}
