// Builds and runs the C++ programs of the benchmark, with the objects of the addon and with other libraries of the
// system.
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
const speexEcho = { ...libraries[2], header: 'speex/speex_echo.h' };
const oldWebrtc = {
  name: 'webrtc',
  header: 'webrtc_audio_processing/webrtc/modules/audio_processing/include/audio_processing.h',
  include: '/usr/include/webrtc_audio_processing',
  define: 'HAVE_WEBRTC',
  link: '-lwebrtc_audio_processing',
  package: 'libwebrtc-audio-processing-dev',
};
const programs = {
  resampler: { sources: ['resampler.cc', 'engine.cc'], libraries },
  qualities: { sources: ['qualities.cc'], libraries: [] },
  mixer: { sources: ['mixer.cc'], libraries: [] },
  drift: { sources: ['drift.cc'], libraries: [] },
  echo: { sources: ['echo.cc'], libraries: [speexEcho, oldWebrtc] },
  player: { sources: ['player.cc'], libraries: [libpulse], needs: libpulse },
};

/** The names of bench/native's programs. */
export const nativePrograms = Object.keys(programs);

/**
 * Builds bench/native's program NAME. `program`: its path; undefined where a library is absent without which it is
 * nothing; `libraries`: the names of those that it has; `absent`: a line for each other one that it could be compared
 * with.
 * @returns {Promise<{ program: string | undefined, libraries: string[], absent: string[] }>}
 */
export async function buildNative(name) {
  if (spawnSync('g++', ['--version']).error) throw new Error('absent: g++ (not in PATH)');
  const { sources, libraries: wished, needs } = programs[name];
  const there = wished.filter(({ header }) => {
    const input = `#if !__has_include(<${header}>)\n#error\n#endif\n`;
    return spawnSync('g++', ['-E', '-x', 'c++', '-'], { input }).status === 0;
  });
  const absent = wished
    .filter((one) => !there.includes(one))
    .map((one) => `absent: ${one.name} (Debian: apt-get install ${one.package})`);
  const found = there.map(({ name: library }) => library);
  if (needs && !there.includes(needs)) return { program: undefined, libraries: found, absent };
  const defines = there.flatMap(({ define, include }) => [
    `-D${define}=1`,
    ...(include ? ['-isystem', include] : []),
  ]);
  const links = there.map(({ link }) => link);
  const program = join(out, [name, ...found].join('-'));
  mkdirSync(out, { recursive: true });
  const own = sources.map((file) => join(root, 'bench/native', file));
  await run('g++', [...addonFlags, ...defines, ...own, ...addonObjects(), ...links, '-o', program]);
  return { program, libraries: found, absent };
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
