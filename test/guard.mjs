// `fork('guard.mjs', [FOLDER, COMMAND, ...ARGUMENTS])`: runs the command in its own process group and
// sends its pid. When the parent disconnects, by choice or by dying in any way, the whole group ends
// and the folder is removed. Exits with the command; before that, it sends the parent the exit code.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const [folder, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });

function signalGroup(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is empty.
  }
}

// The last text that the parent has it write.
function lastOutput() {
  try {
    return readFileSync(join(folder, 'log'), 'utf8').slice(-2000);
  } catch {
    return '';
  }
}

function stop() {
  signalGroup('SIGTERM');
  setTimeout(() => signalGroup('SIGKILL'), 3000).unref();
}

child.on('error', (error) => {
  console.error(`${command}: ${error.message}`);
  rmSync(folder, { recursive: true, force: true });
  process.exit(127);
});
child.on('exit', (code, signal) => {
  signalGroup('SIGKILL');
  if (process.connected) process.send({ ended: `${signal ?? code}\n${lastOutput()}` });
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 1);
});
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (child.pid) process.send({ pid: child.pid });
