// Runs a scene in a separate process, as an app would run the built package: a crash, an exit code
// or a process that does not end is then a result, not the end of the tests.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** It had to be killed: it ran for longer than it may. */
  stuck: boolean;
}

export interface SceneOptions {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  nodeArgs?: string[];
  limitMs?: number;
  /** From the moment at which the scene prints `ready`, in place of `limitMs`. */
  staysMs?: number;
  /** Sent when the scene prints `ready`. */
  signal?: NodeJS.Signals;
}

/** Runs `scenes/NAME` to its end, for 20 s at most. */
export function runScene(
  name: string,
  { args = [], env, nodeArgs = [], limitMs = 20_000, staysMs, signal }: SceneOptions = {},
): Promise<Outcome> {
  const file = fileURLToPath(new URL(`scenes/${name}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeArgs, file, ...args], {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const outcome = { stdout: '', stderr: '', stuck: false };
    const stop = (): void => {
      outcome.stuck = true;
      child.kill('SIGKILL');
    };
    let limit = setTimeout(stop, limitMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      outcome.stdout += text;
      if (!/^ready$/m.test(outcome.stdout)) return;
      if (signal) child.kill(signal);
      if (staysMs === undefined) return;
      clearTimeout(limit);
      limit = setTimeout(stop, staysMs);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text));
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      clearTimeout(limit);
      resolve({ ...outcome, code, signal: killedBy });
    });
  });
}

/** The audio systems to run on: on Windows its own, elsewhere the simulated one and the server that the run was given. */
export const backends: string[] = process.platform === 'win32' ? ['wasapi'] : ['simulated'];
if (process.env.PULSE_SERVER && process.platform !== 'win32') backends.push('pulse');
