// Common code of the suites for the packed package: a folder that is removed at the end, results, node, npm, and
// the tools of tools/package.json.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '../..');

// realpath: the addon's path is compared with what the process reports.
export const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'patchcord-package-')));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Runs one test and prints its result; a failure makes the process end with 1. */
export async function test(name, body) {
  try {
    await body();
    console.log(`ok - ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, '    '));
  }
}

/** Runs a program to its end; `output` is all that it wrote. */
export function run(command, args, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 120_000,
    ...options,
  });
  if (error) throw error;
  return { status: status ?? signal, stdout, stderr, output: `${stdout}${stderr}` };
}

/** Runs node to a good end and returns what it wrote to standard output. */
export function node(args, options) {
  const { status, stdout, output } = run(process.execPath, args, options);
  assert.equal(status, 0, `${args.join(' ')}\n${output}`);
  return stdout;
}

export function npm(args, options) {
  return node([npmFile(), ...args], options);
}

// npm as it runs now, or the one in PATH: started by its file, since PATH may be that of a user without npm.
function npmFile() {
  if (process.env.npm_execpath) return process.env.npm_execpath;
  for (const folder of process.env.PATH.split(delimiter)) {
    try {
      return realpathSync(join(folder, 'npm'));
    } catch {
      // Not in this folder.
    }
  }
  throw new Error('no npm in PATH');
}

/** Packs the library as it is built, with this machine's addon, and returns the tarball. */
export function pack() {
  node([join(root, 'scripts/prebuilds.mjs')], { stdio: ['ignore', 2, 2] });
  npm(['pack', '--ignore-scripts', '--pack-destination', scratch], { cwd: root });
  return join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz')),
  );
}

/** Installs the tarball as an app does; returns the folder of the package. */
export function install(tarball, folder, { args = [], env = process.env, files = [] } = {}) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  npm(['install', '--no-audit', '--no-fund', '--prefer-offline', ...args, tarball], {
    cwd: folder,
    env: { ...env, npm_config_global: '', npm_config_prefix: '' },
  });
  for (const file of files) copyFileSync(join(here, file), join(folder, file));
  return join(folder, 'node_modules/patchcord');
}

/** The `require` of the tools, which are installed if they are not, or if their list has changed. */
export function requireTools() {
  const folder = join(here, 'tools');
  const lock = readFileSync(join(folder, 'package-lock.json'));
  const mark = join(folder, 'node_modules/installed.lock');
  if (!existsSync(mark) || !readFileSync(mark).equals(lock)) {
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    writeFileSync(mark, lock);
  }
  return createRequire(join(folder, 'package.json'));
}
