// `npm run test:sanitized`: builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer, then with
// ThreadSanitizer, and runs with each of them the scenes in which environments end while audio threads
// run. Only what changed is compiled again.
//
//     npm run test:sanitized -- [address] [thread]
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { compilerCommand, compilerEnv } from '../../scripts/compiler.mjs';
import { nodeHeaders } from '../../scripts/node-headers.mjs';
import { readGyp } from '../../scripts/read-gyp.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const sceneLimitMs = 5 * 60_000;

// Node itself is not instrumented, so its library has to be there before Node is.
const sanitizers = [
  {
    name: 'address',
    title: 'AddressSanitizer',
    flags: ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    library: 'libasan.so',
    // V8 frees nothing at exit.
    env: { ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
  },
  {
    name: 'thread',
    title: 'ThreadSanitizer',
    flags: ['-fsanitize=thread', '-Wno-tsan'],
    library: 'libtsan.so',
    // It cannot follow what Node's own threads hand to each other: only stacks of ours count.
    env: { TSAN_OPTIONS: 'halt_on_error=0:ignore_noninstrumented_modules=1:exitcode=66' },
  },
];
const scenes = [
  ['pumped-workers.mjs', '12'],
  ['workers.mjs', '4'],
  ['worlds.mjs', 'real', 'disposed', '10'],
  ['dropped.mjs'],
];

const counts = { passed: 0, failed: 0 };
const wanted = process.argv.slice(2);
const whyNot = process.platform === 'linux' ? whyNoHeaders() : `on ${process.platform}`;
if (whyNot) {
  console.log(`absent: a build with sanitizers (${whyNot}): their scenes did not run`);
} else {
  for (const sanitizer of sanitizers) {
    if (wanted.length === 0 || wanted.includes(sanitizer.name)) await testUnder(sanitizer);
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);

async function testUnder({ name, title, flags, library, env }) {
  const preload = spawnSync('g++', [`-print-file-name=${library}`], { encoding: 'utf8' });
  const path = preload.stdout.trim();
  if (!path.includes('/')) {
    console.log(`absent: ${title} (g++ has no ${library}): its scenes did not run`);
    return;
  }
  const folder = join(root, 'build/sanitized', name);
  if (!(await build(folder, flags))) return fail(`build with ${title}`);
  for (const [scene, ...args] of scenes) {
    const what = `${scene} ${args.join(' ')} (${name})`.replace('  ', ' ');
    const { code, output } = await run(
      process.execPath,
      ['--expose-gc', join(here, 'scenes', scene), ...args],
      {
        env: {
          ...process.env,
          ...env,
          LD_PRELOAD: path,
          PATCHCORD_ADDON: addonIn(folder),
          PATCHCORD_BACKEND: 'simulated',
        },
        timeout: sceneLimitMs,
        killSignal: 'SIGKILL',
      },
    );
    if (code === 0) {
      counts.passed++;
      console.log(`ok ${what}`);
    } else {
      process.stdout.write(output);
      fail(`${what} ended with ${code}`);
    }
  }
}

function addonIn(folder) {
  return join(folder, 'patchcord.node');
}

async function build(folder, flags) {
  const gyp = readGyp('linux');
  const objects = join(folder, 'objects');
  mkdirSync(objects, { recursive: true });
  const common = [
    ...['-std=c++17', '-O1', '-g1', '-fPIC', '-fno-omit-frame-pointer', '-pthread'],
    ...gyp.defines.map((define) => `-D${define}`),
    ...[join(nodeHeaders(), 'include/node'), ...gyp.includeDirs].map((path) => `-I${path}`),
    ...flags,
  ];
  const made = gyp.sources
    .filter((source) => !source.endsWith('glibc_floor.cc'))
    .map((source) => [source, join(objects, source.replaceAll('/', '.').replace(/\.cc$/, '.o'))]);
  // A header that is newer than an object causes a full build: there are few runs.
  const headers = spawnSync('git', ['ls-files', 'src/*.h'], { cwd: root, encoding: 'utf8' });
  const times = headers.stdout.trim().split('\n').map(modified);
  const queue = made.filter(([source, object]) => {
    const last = statSync(object, { throwIfNoEntry: false })?.mtimeMs;
    return ![modified(source), ...times].every((time) => time <= last);
  });
  let ok = true;
  const worker = async () => {
    for (let next = queue.shift(); next && ok; next = queue.shift()) {
      const [source, object] = next;
      const [command, ...first] = compilerCommand();
      const { code, output } = await run(
        command,
        [...first, ...common, '-c', source, '-o', object],
        { env: compilerEnv },
      );
      process.stdout.write(output);
      ok &&= code === 0;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (!ok) return false;
  const { code, output } = await run('g++', [
    ...['-shared', '-pthread', ...flags],
    ...made.map(([, object]) => object),
    ...['-o', addonIn(folder), '-ldl'],
  ]);
  process.stdout.write(output);
  return code === 0;
}

function modified(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs;
}

function fail(what) {
  counts.failed++;
  console.log(`not ok ${what}`);
}

function run(command, args, options = {}) {
  return new Promise((settled) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => settled({ code: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => settled({ code: code ?? signal, output }));
  });
}

function whyNoHeaders() {
  if (spawnSync('g++', ['--version']).error) return 'g++ is not in PATH';
  return nodeHeaders() ? undefined : "Node's headers are not beside it";
}
