// An app whose microphone is held by a child process; the simulation (isolated-world.cjs) plays only there. As a single
// executable (`sea`) it starts itself as that child process, as docs/isolation.md explains.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';
import { MicSource } from 'patchcord';

const at = process.argv.indexOf('--audio-child');
if (at > 0) {
  createRequire(process.argv[at + 1])(process.argv[at + 1]);
} else {
  const fork = (file) =>
    spawn(process.execPath, ['--audio-child', file], { stdio: ['pipe', 'pipe', 'pipe'] });
  const isolation = process.argv.includes('sea') ? { fork } : 'process';
  record(new MicSource({ backend: 'simulated', isolation, durationMs: 1000 }));
}

function record(mic) {
  let peakDb = -Infinity;
  let bytes = 0;
  mic.on('data', (chunk) => {
    bytes += chunk.length;
    peakDb = Math.max(peakDb, mic.level().peakDb);
  });
  mic.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  mic.on('close', () => console.log(`${bytes / 8} frames, ${peakDb > -20 ? 'a tone' : 'silence'}`));
}
