import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { codeFolder } from '../addon-file.js';
import { AudioError } from '../errors.js';

/**
 * Starts the program that holds the device. `file` is the path of its script. The child process must have pipes as its
 * standard input and output, and may have one as its standard error.
 */
export type ForkFunction = (file: string) => ChildProcess;

/** Where the device of a source is held. `ffmpeg` is the path of an FFmpeg that records a microphone. */
export type Isolation = 'thread' | 'process' | { fork: ForkFunction } | { ffmpeg: string };

const fileName = 'isolated-child.js';

/** @throws `ERR_AUDIO_UNSUPPORTED` if this app cannot start its own executable as Node.js. */
export function startChild(fork: ForkFunction | undefined): ChildProcess {
  const file = childFile();
  if (fork) {
    const child = fork(file) as Partial<ChildProcess> | undefined | null;
    if (typeof child?.kill === 'function' && typeof child.on === 'function')
      return child as ChildProcess;
    throw cannot(
      `fork() has not returned a child process but ${inspect(child, { depth: 0 })}`,
      'Return the result of spawn() or fork() of node:child_process, and not a promise of it',
    );
  }
  if (isSingleExecutable()) {
    throw cannot(
      'this app is a single executable, which can only start itself',
      'Pass isolation: { fork } with a function that starts the file with Node.js',
    );
  }
  const { versions } = process;
  // An app that was made by Electron, or compiled by Bun, runs scripts only if its environment says so.
  const runtime = {
    ...(versions.electron && { ELECTRON_RUN_AS_NODE: '1' }),
    ...(versions.bun && { BUN_BE_BUN: '1' }),
  };
  const environment: NodeJS.ProcessEnv = { ...process.env, ...runtime };
  // Options of this process, such as the port of a debugger, are not for another one.
  delete environment.NODE_OPTIONS;
  const args = versions.deno ? ['run', '--allow-all', file] : [file];
  return spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment,
    windowsHide: true,
  });
}

/** @throws `ERR_AUDIO_UNSUPPORTED` */
function childFile(): string {
  const folder = codeFolder();
  // Beside the package's own code or a bundle, or built from a checkout.
  const places = [join(folder, fileName), join(folder, '../dist', fileName)];
  const file = places.find((place) => existsSync(place));
  if (file !== undefined) return file;
  throw cannot(
    `its program was not found at ${places[0]}`,
    `Copy node_modules/patchcord/dist to the folder of the bundle, or leave patchcord out of the bundle`,
  );
}

function isSingleExecutable(): boolean {
  // Node.js before 20.16 has no such function.
  const sea = process.getBuiltinModule?.('node:sea') as { isSea(): boolean } | undefined;
  return sea?.isSea() ?? false;
}

function cannot(why: string, remedy: string): AudioError {
  return new AudioError(
    'ERR_AUDIO_UNSUPPORTED',
    `isolation: 'process' cannot start a child process: ${why}`,
    { remedy },
  );
}
