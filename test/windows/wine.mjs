// Runs Windows programs on Linux, for tests:
//
//     await withWine({ node: '20', env: { FOO: 'bar' } }, async (wine) => {
//       const { code, stdout, stderr } = await wine.run([wine.node, '-p', 'process.platform'], { cwd, limitMs: 60_000 })
//     })
//
// A session has its own mount and process namespaces and ends with the process that began it, however
// that ends: nothing stays mounted, no program stays behind. Everything is a throw-away layer over the
// cache (a fresh Windows each time; sessions may run side by side), except, at their usual paths, the
// project and the temporary folder. The project's node_modules are those for Windows there, and its
// build/ with this machine's addon looks empty.
import { spawn } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { prefixInTree, prepare } from './prepare.mjs';

const project = join(dirname(fileURLToPath(import.meta.url)), '../..');

// $1 the layer's folder, $2 tree, $3 prefix, $4 nodes, $5 modules, $6 project, $7 temporary folder.
// Reads from a pipe that nobody writes: when the other end closes, this first process of its namespace
// ends, and the kernel ends all others and undoes the mounts.
const holder = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/root"
layer() {
  mkdir "$1/upper-$2" "$1/work-$2"
  mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/upper-$2,workdir=$1/work-$2" "$4"
}
layer "$1" tree "$2" "$1/root"
layer "$1" prefix "$3" "$1/root${prefixInTree}"
mount -t proc proc "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount --rbind /dev "$1/root/dev"
mkdir -p "$1/root/nodes" "$1/root$6" "$1/root$7"
mount --bind "$4" "$1/root/nodes"
mount --bind "$7" "$1/root$7"
mount --bind "$6" "$1/root$6"
layer "$1" modules "$5" "$1/root$6/node_modules"
if [ -d "$6/build" ]; then mount -t tmpfs tmpfs "$1/root$6/build"; fi
echo ready
read -r end || true`;

/**
 * @typedef {object} Wine
 * @property {string} node Windows path of node.exe.
 * @property {string} nodePath The same file, as programs outside see it.
 * @property {string} folder A folder for files, at the same path inside and outside; goes with the session.
 * @property {(args: string[], options?: RunOptions) => Promise<RunResult>} run Runs to the end.
 * @property {(args: string[], options?: RunOptions) => RunningProgram} start Does not wait.
 */

/**
 * Prepares what is missing, begins a session, passes it to `use`, ends it.
 * @param {{ node?: '20' | '22' | '24', env?: Record<string, string>, log?: (line: string) => void }} options
 *   `env`: for every program of the session.
 * @param {(wine: Wine) => Promise<T>} use
 * @returns {Promise<T>}
 * @template T
 */
export async function withWine({ node = '20', env = {}, log }, use) {
  const { tree, prefix, nodes, modules } = await prepare({ versions: [node], log });
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  const layers = mkdtempSync(join(tmpdir(), 'patchcord-wine-layers-'));
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-wine-'));
  const places = [layers, tree, prefix, nodes, modules, project, tmpdir()];
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
  const unshare = spawn('unshare', [...namespaces, 'sh', '-c', holder, 'sh', ...places], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => unshare.once('close', resolve));
  try {
    const first = await firstProcess(unshare);
    const session = { first, root: join(layers, 'root'), folder, env, count: 0 };
    return await use({
      node: `Z:\\nodes\\${node}\\node.exe`,
      nodePath: join(nodes, node, 'node.exe'),
      folder,
      start: (args, runOptions) => start(session, args, runOptions),
      run: (args, runOptions) => start(session, args, runOptions).result,
    });
  } finally {
    unshare.stdin.end();
    await ended;
    for (const path of [layers, folder]) rmSync(path, { recursive: true, force: true });
  }
}

// The pid, outside, of the first process of the session's namespace.
async function firstProcess(unshare) {
  let errors = '';
  unshare.stderr.on('data', (data) => (errors += data));
  await new Promise((resolve, reject) => {
    unshare.stdout.once('data', resolve);
    unshare.once('error', reject);
    unshare.once('close', (code) => reject(new Error(`no session for Wine (${code}): ${errors}`)));
  });
  return readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').trim();
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] A path inside; default: the project's.
 * @property {Record<string, string>} [env] More variables.
 * @property {number} [limitMs] After that everything in the session is killed (default 60000).
 * @property {(text: string) => void} [onOutput] Gets standard output and errors as they come.
 */

/** @typedef {{ code: number | null, stdout: string, stderr: string, timedOut: boolean }} RunResult */

/** @typedef {{ result: Promise<RunResult>, stdout: () => string, kill: () => void }} RunningProgram */

/** @returns {RunningProgram} */
function start(session, args, { cwd = project, env = {}, limitMs = 60_000, onOutput } = {}) {
  const variables = {
    HOME: '/root',
    XDG_RUNTIME_DIR: session.folder,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    WINEPREFIX: prefixInTree,
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    ...session.env,
    ...env,
  };
  // Wine's node.exe cannot write to a Unix pipe (EBADF): files, read as they grow.
  const names = ['stdout', 'stderr'].map((kind) =>
    join(session.folder, `${kind}-${++session.count}`),
  );
  const outputs = names.map((name) => openSync(name, 'a+'));
  const environment = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const inside = ['env', '-i', '-C', cwd, ...environment, 'wine', ...args];
  const enter = ['--target', session.first, '--mount', '--pid'];
  const child = spawn('nsenter', [...enter, 'chroot', session.root, ...inside], {
    stdio: ['ignore', ...outputs],
  });

  let timedOut = false;
  const kill = () => {
    // Wine's programs are no descendants of the one that started them. -1: all of the namespace.
    spawn('nsenter', [...enter, 'chroot', session.root, 'sh', '-c', 'kill -KILL -1'], {
      stdio: 'ignore',
    });
  };
  const limit = setTimeout(() => {
    timedOut = true;
    kill();
  }, limitMs);
  const exited = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const shown = [0, 0];
  const show = () => {
    if (!onOutput) return;
    outputs.forEach((file, index) => {
      const data = Buffer.alloc(fstatSync(file).size - shown[index]);
      shown[index] += readSync(file, data, 0, data.length, shown[index]);
      if (data.length > 0) onOutput(data.toString());
    });
  };
  const poll = setInterval(show, 100);
  const result = exited
    .finally(() => {
      clearTimeout(limit);
      clearInterval(poll);
      show();
      outputs.forEach(closeSync);
    })
    .then((code) => {
      const [stdout, stderr] = names.map((name) => readFileSync(name, 'utf8'));
      return { code, stdout, stderr, timedOut };
    });
  return { result, stdout: () => readFileSync(names[0], 'utf8'), kill };
}
