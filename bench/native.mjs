// Builds and runs the C++ programs of the benchmark: the engine's own sources with the flags that the addon has,
// and other people's libraries, from the system, beside it.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build/bench');

const flags = ['-std=c++17', '-O2', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra'];
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
  resampler: { sources: ['resampler.cc', 'engine.cc'], uses: /^resampler/, libraries },
  qualities: { sources: ['qualities.cc'], uses: /^resampler/, libraries: [] },
  mixer: { sources: ['mixer.cc'], uses: /./, libraries: [] },
  drift: { sources: ['drift.cc'], uses: /./, libraries: [] },
  player: { sources: ['player.cc'], uses: /^$/, libraries: [libpulse], needs: libpulse },
};

const list = (folder) =>
  readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, name));

/**
 * Builds bench/native's program NAME, if anything changed; returns how to call it for JSON, in an environment with
 * `env` as well; undefined where a library is absent without which it is nothing.
 */
export async function nativeProgram(name, env = {}) {
  if (spawnSync('g++', ['--version']).error) throw new Error('absent: g++ (not in PATH)');
  const { sources, uses, libraries: wished, needs } = programs[name];
  const there = wished.filter(({ header }) => {
    const input = `#include <${header}>\n`;
    return spawnSync('g++', ['-E', '-x', 'c++', '-'], { input }).status === 0;
  });
  for (const one of wished) {
    if (!there.includes(one))
      console.log(`absent: ${one.name} (Debian: apt-get install ${one.package})`);
  }
  if (needs && !there.includes(needs)) return undefined;
  const own = list('src/core').filter(
    (path) => path.endsWith('.cc') && uses.test(path.split('/').at(-1)),
  );
  const all = [...sources.map((file) => join(root, 'bench/native', file)), ...own];
  const program = join(out, [name, ...there.map((one) => one.name)].join('-'));
  const inputs = [...list('src/core'), ...list('bench/native'), fileURLToPath(import.meta.url)];
  const newest = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
  if (!(statSync(program, { throwIfNoEntry: false })?.mtimeMs > newest)) {
    mkdirSync(out, { recursive: true });
    const defines = there.map(({ define }) => `-D${define}=1`);
    const links = there.map(({ link }) => link);
    await run('g++', [...flags, ...defines, ...all, '-o', program, ...links, '-pthread']);
  }
  return async (...args) => {
    const options = { maxBuffer: 1 << 26, env: { ...process.env, ...env } };
    const { stdout } = await run(program, args.map(String), options);
    return JSON.parse(stdout);
  };
}
