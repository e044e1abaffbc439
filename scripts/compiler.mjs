// C++ compilers run through ccache if it is installed, so that several checkouts share compiled objects.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cached = spawnSync('ccache', ['--version']).status === 0;

/** The command that compiles with `compiler`. */
export function compilerCommand(compiler = 'g++') {
  return cached ? ['ccache', compiler] : [compiler];
}

/** The environment of that command. */
export const compilerEnv = cached
  ? { ...process.env, CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' }
  : process.env;
