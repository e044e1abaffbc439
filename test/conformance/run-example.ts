// An example, run as a user runs it, in a new folder.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));

export interface Run {
  pid: number;
  /** The output so far. */
  output: string;
  /** Its exit code. */
  ended: Promise<number | null>;
}

/** Ends with the test at the latest. */
export function runExample(folder: string, example: string, ...args: string[]): Run {
  const child = spawn(process.execPath, [join(examples, example), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill());
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const run: Run = { pid: child.pid!, output: '', ended };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => (run.output += String(text)));
  }
  return run;
}

/** The left channel of a stereo WAV file of floats. */
export function readLeft(file: string): Float32Array {
  const bytes = readFileSync(file);
  const data = bytes.subarray(bytes.indexOf('data') + 8);
  const samples = new Float32Array(data.length >> 3);
  for (let i = 0; i < samples.length; i++) samples[i] = data.readFloatLE(i * 8);
  return samples;
}
