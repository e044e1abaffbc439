// The errors for each case in which the addon cannot be loaded, with a remedy.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { codeFolder, target } from '../addon-file.js';
import { AudioError } from '../errors.js';
import { readBinaryHeader, type BinaryHeader } from './binary-header.js';

const oldestGlibc = '2.28';
const platforms: Record<string, string> = {
  'linux-x64': `linux-x64 (glibc ${oldestGlibc} or later)`,
  'win32-x64': 'win32-x64',
};

// Older versions lack functions of libuv that the addon calls, and end the process when it calls them.
const runtimes = { bun: ['Bun', '1.4.4'], deno: ['Deno', '2.9.5'] } as const;

const reinstall = 'Install the package again; in a checkout, run "npm run build:native"';

function failure(message: string, remedy: string, cause?: Error): AudioError {
  return new AudioError('ERR_AUDIO_NATIVE_LOAD_FAILED', message, { remedy, cause });
}

/** The error for a runtime that cannot run the addon; undefined if it can. */
export function tooOldRuntime(): AudioError | undefined {
  for (const [key, [name, oldest]] of Object.entries(runtimes)) {
    const version = process.versions[key];
    if (version === undefined || !isOlder(version, oldest)) continue;
    return failure(
      `the native addon needs ${name} ${oldest} or later; this is ${name} ${version}`,
      `Update ${name}, or run the program with Node.js`,
    );
  }
  return undefined;
}

function isOlder(version: string, oldest: string): boolean {
  const numbers = (text: string): number[] => text.split('.').map((part) => parseInt(part, 10));
  const [has, needs] = [numbers(version), numbers(oldest)];
  const first = needs.findIndex((number, index) => number !== has[index]);
  return first >= 0 && (has[first] ?? 0) < (needs[first] ?? 0);
}

/** Whether the program that runs this code was built for musl; false if its file cannot be read. */
export function runsOnMusl(): boolean {
  try {
    return readBinaryHeader(process.execPath)?.musl ?? false;
  } catch {
    return false;
  }
}

/** The error for a prebuilt addon in a program that was built for musl. */
export function needsGlibc(): AudioError {
  return failure(
    `the native addon for ${target} needs glibc; this program was built for musl, as on Alpine Linux`,
    'Use a system with glibc, such as Debian (for a container: an image of Node.js whose name ends in -slim)',
  );
}

/** The error if the environment names a file that does not exist. */
export function misnamed(file: string): AudioError {
  return failure(
    `PATCHCORD_ADDON names ${file}, which does not exist`,
    'Correct or unset the variable',
  );
}

/** The error if no addon is found. */
export function notFound(places: readonly string[]): AudioError {
  const { permission } = process as { permission?: { has(scope: string, file: string): boolean } };
  const [hidden] = places.filter((place) => permission?.has('fs.read', place) === false);
  if (hidden !== undefined) return unreadable(hidden);
  const lookedFor = `looked for ${places.join(', ')}`;
  if (!(target in platforms)) {
    return failure(
      `there is no native addon for ${target}; the package supports ${Object.values(platforms).join(' and ')}; ${lookedFor}`,
      /-(ia32|arm)$/.test(target)
        ? 'Use a 64-bit build of Node.js or Electron'
        : 'Use a build of Node.js or Electron for a supported platform',
    );
  }
  return failure(
    `the native addon for ${target} was not found; ${lookedFor}`,
    isBundle()
      ? 'A bundler has moved the code: copy the folder prebuilds of the package into the folder of the bundle, ' +
          'or declare the package external (docs/shipping.md)'
      : reinstall,
  );
}

// In the package and in a checkout this code is one folder below package.json.
function isBundle(): boolean {
  try {
    const description = readFileSync(join(codeFolder(), '../package.json'), 'utf8');
    return (JSON.parse(description) as { name?: unknown }).name !== 'patchcord';
  } catch {
    return true;
  }
}

function unreadable(file: string, cause?: Error): AudioError {
  return failure(
    `the permission model does not let this process read the native addon ${file}`,
    'Start Node.js with --allow-fs-read for the folder of the package, and with --allow-addons',
    cause,
  );
}

/** The error for a file that cannot be an addon for this process; undefined if it may be one. */
export function unusableFile(file: string): AudioError | undefined {
  let header: BinaryHeader | undefined;
  try {
    header = readBinaryHeader(file);
  } catch (error) {
    return unloadable(file, error as Error);
  }
  if (!header?.complete) return failure(`the native addon ${file} is damaged`, reinstall);
  if (header.target === target) return undefined;
  return failure(
    `the native addon ${file} is for ${header.target}, but this process is ${target}`,
    'Install the package, or build the checkout, on the system that runs it. Do not copy it from another system',
  );
}

/** The error for a file that the system or the runtime did not load. */
export function unloadable(file: string, cause: NodeJS.ErrnoException): AudioError {
  if (cause.code === 'ERR_ACCESS_DENIED') return unreadable(file, cause);
  if (cause.code === 'ERR_DLOPEN_DISABLED') {
    return failure(
      'Node.js was started with flags that forbid native addons',
      'Start it without --no-addons, and with --allow-addons if it has --permission',
      cause,
    );
  }
  const remedies: [RegExp, string][] = [
    [/failed to map segment/, 'The file system may be mounted with noexec: move the package'],
    [/version `GLIBC_/, `Use a system with glibc ${oldestGlibc} or later`],
  ];
  const remedy = remedies.find(([pattern]) => pattern.test(cause.message))?.[1] ?? reinstall;
  return failure(`the native addon ${file} did not load: ${cause.message}`, remedy, cause);
}

/** The error for a loaded file that is another addon. */
export function notOurs(file: string): AudioError {
  return failure(
    `${file} is not the native addon of this version of the package`,
    `${reinstall}; a bundle needs the folder prebuilds of the version that it contains`,
  );
}
