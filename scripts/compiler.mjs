// The C++ compiler of the tests, which goes through ccache where that is installed: it also serves a clone in
// another folder.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cached = spawnSync('ccache', ['--version']).status === 0;

/** The command, and what it needs in its environment. */
export const compiler = cached ? ['ccache', 'g++'] : ['g++'];
export const compilerEnv = cached ? { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' } : {};
