// The addon's own objects, for native programs that run the shipped code: benchmarks and long tests.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { readGyp } from './read-gyp.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The flags for C++ that is linked with these objects. */
export const addonFlags = [
  '-std=c++17',
  '-O2',
  '-fno-exceptions',
  '-fno-rtti',
  '-Wall',
  '-Wextra',
  '-pthread',
];

let built;

/** Brings the addon up to date, once; returns its objects, without those that need Node-API. Linux. */
export function addonObjects() {
  built ??= build();
  return built;
}

function build() {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build-native.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error('the addon was not built');
  return readGyp('linux')
    .sources.filter((path) => !path.startsWith('src/addon/'))
    .map((path) => join(root, 'build/Release/obj.target/patchcord', path.replace(/\.cc$/, '.o')));
}
