// Builds and runs the C++ programs of the benchmark: the objects of the addon, and other people's libraries, from the
// system, beside them.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { addonFlags, addonObjects } from '../scripts/addon-objects.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build/bench');
const libraries = [
  {
    name: 'libsoxr',
    header: 'soxr.h',
    define: 'HAVE_SOXR',
    link: '-lsoxr',
    package: 'libsoxr-dev',
  },
  {
    name: 'libsamplerate',
    header: 'samplerate.h',
    define: 'HAVE_SAMPLERATE',
    link: '-lsamplerate',
    package: 'libsamplerate0-dev',
  },
  {
    name: 'speexdsp',
    header: 'speex/speex_resampler.h',
    define: 'HAVE_SPEEXDSP',
    link: '-lspeexdsp',
    package: 'libspeexdsp-dev',
  },
];
const libpulse = {
  name: 'libpulse',
  header: 'pulse/pulseaudio.h',
  define: 'HAVE_PULSE',
  link: '-lpulse',
  package: 'libpulse-dev',
};
const programs = {
  resampler: { sources: ['resampler.cc', 'engine.cc'], libraries },
  qualities: { sources: ['qualities.cc'], libraries: [] },
  mixer: { sources: ['mixer.cc'], libraries: [] },
  drift: { sources: ['drift.cc'], libraries: [] },
  player: { sources: ['player.cc'], libraries: [libpulse], needs: libpulse },
};

/** The names of bench/native's programs. */
export const nativePrograms = Object.keys(programs);

/**
 * Builds bench/native's program NAME. `program`: its path; undefined where a library is absent without which it is
 * nothing; `absent`: a line for each library that it could be compared with.
 * @returns {Promise<{ program: string | undefined, absent: string[] }>}
 */
export async function buildNative(name) {
  if (spawnSync('g++', ['--version']).error) throw new Error('absent: g++ (not in PATH)');
  const { sources, libraries: wished, needs } = programs[name];
  const there = wished.filter(({ header }) => {
    const input = `#include <${header}>\n`;
    return spawnSync('g++', ['-E', '-x', 'c++', '-'], { input }).status === 0;
  });
  const absent = wished
    .filter((one) => !there.includes(one))
    .map((one) => `absent: ${one.name} (Debian: apt-get install ${one.package})`);
  if (needs && !there.includes(needs)) return { program: undefined, absent };
  const defines = there.map(({ define }) => `-D${define}=1`);
  const links = there.map(({ link }) => link);
  const program = join(out, [name, ...there.map((one) => one.name)].join('-'));
  mkdirSync(out, { recursive: true });
  const own = sources.map((file) => join(root, 'bench/native', file));
  await run('g++', [...addonFlags, ...defines, ...own, ...addonObjects(), ...links, '-o', program]);
  return { program, absent };
}

/** How to call bench/native's program NAME for JSON, in an environment with `env` as well; undefined: it is absent. */
export async function nativeProgram(name, env = {}) {
  const { program, absent } = await buildNative(name);
  for (const line of absent) console.log(line);
  if (program === undefined) return undefined;
  return async (...args) => {
    const options = { maxBuffer: 1 << 26, env: { ...process.env, ...env } };
    const { stdout } = await run(program, args.map(String), options);
    return JSON.parse(stdout);
  };
}
