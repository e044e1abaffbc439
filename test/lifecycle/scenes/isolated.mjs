// Opens a microphone in a child process, prints `child PID` and continues to record.
import { spawn } from 'node:child_process';

import { MicSource } from 'patchcord';

const fork = (file) => {
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  console.log(`child ${child.pid}`);
  return child;
};
const mic = await MicSource.open({ backend: 'simulated', isolation: { fork } });
mic.resume();
if (process.argv[2] === 'close') await mic.close();
console.log('ready');
