// `npm run test:native`: builds each *_test.cc here with the native sources and runs it under
// AddressSanitizer and UndefinedBehaviorSanitizer, then the tests that started threads once more under
// ThreadSanitizer, then the files with a LONG_TEST once more on the addon's own objects, without a
// sanitizer. Compiles the benchmarks too. Only what changed is compiled again. Tests of a backend that
// needs a server (pulse*_test) get a private one.
//
//     npm run test:native -- [PART OF A FILE'S NAME...]      e.g. npm run test:native -- resampler
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { buildNative, nativePrograms } from '../../bench/native.mjs';
import { addonFlags, addonObjects } from '../../scripts/addon-objects.mjs';
import { compilerCommand, compilerEnv } from '../../scripts/compiler.mjs';
import { readGyp } from '../../scripts/read-gyp.mjs';
import { startPulseAudio, whyAbsent } from '../servers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const out = join(root, 'build/native-tests');
// All of the random commands take longer than their part.
const testLimitMs = (process.env.PATCHCORD_SEQUENCES ? 60 : 10) * 60_000;

// It warns of each fence that it cannot follow; ours stand between atomics, which it can.
const sanitizers = [
  {
    name: 'address',
    title: 'AddressSanitizer',
    flags: ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    tests: () => allTests,
    objects: (build) => compileAll(sources, build),
  },
  {
    name: 'thread',
    title: 'ThreadSanitizer',
    flags: ['-fsanitize=thread', '-Wno-tsan'],
    tests: () => allTests.filter((test) => withThreads.has(test)),
    objects: (build) => compileAll(sources, build),
  },
];
const shipped = {
  name: 'shipped',
  flags: addonFlags,
  tests: () => allTests.filter((test) => /^LONG_TEST\(/m.test(readFileSync(test, 'utf8'))),
  objects: () => addonObjects(),
};
const compileFlags = [
  '-std=c++17',
  '-g1', // the lines that a report names; all of DWARF takes longer than the optimiser
  '-fno-omit-frame-pointer',
  '-Wall',
  '-Wextra',
  '-pthread',
  '-DDEBUG', // as node-gyp's debug builds: backends are held to their contract
];
// Sanitized tests of thousands of checks compile in a third of the time without the optimiser's
// inlining; what they test runs for minutes of audio and needs it.
const optimiserOf = (source) => (source.startsWith(here) ? '-Og' : '-O1');
const linkFlags = ['-pthread', '-ldl'];

// A test that is itself a server of the system's message bus.
const libraryOf = { realtime_kit_test: 'dbus-1' };

const counts = { passed: 0, failed: 0 };
const withThreads = new Map(); // a test's file: the names of its tests that started a thread
const wanted = process.argv.slice(2);
const allTests = list(here, /_test\.cc$/)
  .filter((path) => wanted.length === 0 || wanted.some((part) => basename(path).includes(part)))
  .filter(hasLibrary);
// The addon's own list, less what needs Node-API; and the backend that others begin from.
const sources = readGyp('linux')
  .sources.filter((path) => !path.startsWith('src/addon/'))
  .map((path) => join(root, path))
  .concat(list(join(here, 'skeleton'), /\.cc$/));

const whyNot = process.platform === 'linux' ? whyNoCompiler() : `on ${process.platform}`;
if (whyNot) {
  console.log(`absent: g++ (${whyNot}): the native tests did not run`);
} else {
  for (const sanitizer of sanitizers) {
    const reason = whyNoSanitizer(sanitizer);
    if (reason) {
      const { title } = sanitizer;
      console.log(`absent: ${title} (${reason}): the native tests did not run under it`);
    } else {
      await testIn(sanitizer);
    }
  }
  await testIn(shipped);
  if (wanted.length === 0) await compileBenchmarks();
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 || (!whyNot && counts.passed === 0) ? 1 : 0);

async function testIn(build) {
  const tests = build.tests();
  if (tests.length === 0) return;
  const folder = folderOf(build);
  mkdirSync(folder, { recursive: true });
  const objects = await compileAll(tests, build);
  const parts = [...(await build.objects(build)).values()].filter(Boolean);

  // An archive: each test takes what it needs, so that a source which does not compile fails only the
  // tests that cannot do without it. Written anew, or objects of deleted sources would stay in it.
  const archive = join(folder, 'sources.a');
  if (isOlder(archive, parts)) {
    rmSync(archive, { force: true });
    execFileSync('ar', ['rcs', archive, ...parts]);
  }
  const programs = new Map();
  await inParallel(tests, async (test) => {
    const object = objects.get(test);
    if (object) programs.set(test, await link(test, object, archive, build));
  });
  const runs = tests
    .filter((test) => programs.get(test))
    .map((path) => ({ path, test: basename(path, '.cc'), program: programs.get(path) }));
  // Tests with a real server run alone; the others have their own clocks.
  await inParallel(
    runs.filter(({ test }) => !needsServer(test)),
    (one) => run(one, build.name),
  );
  for (const one of runs) {
    if (needsServer(one.test)) await run(one, build.name);
  }
}

async function compileBenchmarks() {
  for (const name of nativePrograms) {
    try {
      const { absent } = await buildNative(name);
      for (const line of absent) console.log(`${line}: ${name} was compiled without it`);
      ++counts.passed;
      console.log(`ok bench/native: ${name} compiles`);
    } catch (error) {
      console.log(error.stderr ?? error.stack);
      fail(`bench/native: ${name} compiles`);
    }
  }
}

function folderOf(build) {
  return join(out, build.name);
}

function needsServer(test) {
  return test.startsWith('pulse');
}

/** Their objects by source; undefined where one does not compile. */
async function compileAll(all, build) {
  const objects = new Map();
  await inParallel(all, async (source) => objects.set(source, await compile(source, build)));
  return objects;
}

async function compile(source, build) {
  const stem = join(
    folderOf(build),
    source
      .slice(root.length + 1)
      .replaceAll('/', '.')
      .replace(/\.cc$/, ''),
  );
  const object = `${stem}.o`;
  if (!isOlder(object, prerequisites(`${stem}.d`))) return object;
  rmSync(object, { force: true });
  const library = pkgConfig('--cflags', basename(source, '.cc'));
  const args = [
    ...compileFlags,
    ...(build === shipped ? [] : [optimiserOf(source)]),
    ...build.flags,
    ...library,
    '-MMD',
    '-MF',
    `${stem}.d`,
  ];
  args.push('-c', source, '-o', object);
  return (
    (await tool(compilerCommand(), args, `compile ${source.slice(root.length + 1)}`)) && object
  );
}

async function link(test, object, archive, build) {
  const program = join(folderOf(build), basename(test, '.cc'));
  if (!isOlder(program, [object, archive])) return program;
  rmSync(program, { force: true });
  const library = pkgConfig('--libs', basename(test, '.cc'));
  const args = [...build.flags, object, archive, ...linkFlags, ...library, '-o', program];
  return (await tool(['g++'], args, `link ${basename(test, '.cc')}`)) && program;
}

function hasLibrary(path) {
  const test = basename(path, '.cc');
  const library = libraryOf[test];
  if (!library || spawnSync('pkg-config', ['--exists', library]).status === 0) return true;
  console.log(`absent: ${library} (pkg-config does not know it): ${test} did not run`);
  return false;
}

function pkgConfig(what, test) {
  const library = libraryOf[test];
  if (!library) return [];
  return execFileSync('pkg-config', [what, library], { encoding: 'utf8' }).trim().split(/\s+/);
}

async function run({ path, test: name, program }, sanitizer) {
  let server;
  if (needsServer(name)) {
    const reason = whyAbsent('pulse');
    if (reason) {
      console.log(`absent: PulseAudio (${reason}): ${name} did not run`);
      return;
    }
    server = await startPulseAudio();
  }
  const options = {
    // Leaks are found as well; a thread left behind is one.
    ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
  };
  const env = { ...process.env, ...options, ...server?.env };
  const begin = performance.now();
  const names = sanitizer === 'thread' ? withThreads.get(path) : [];
  const { code, output } = await capture(program, names, {
    env,
    timeout: testLimitMs,
    killSignal: 'SIGKILL',
  });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  await server?.stop();

  const sum = /^(\d+) passed, (\d+) failed\n?/m;
  const [text, passed = 0, failed = 0] = sum.exec(output) ?? [''];
  const threads = /^threads: (.*)\n/gm;
  const started = [...output.matchAll(threads)].map(([, test]) => test);
  if (started.length > 0) withThreads.set(path, started);
  const shown = output.replace(text, '').replace(threads, '');
  process.stdout.write(`# ${name} (${sanitizer}), ${seconds} s\n${shown}`);
  counts.passed += Number(passed);
  counts.failed += Number(failed);
  // A sanitizer may speak up after the sum (leaks do).
  if (code !== 0 && Number(failed) === 0) {
    const how =
      code === 'SIGKILL' ? `did not end in ${testLimitMs / 60_000} minutes` : `ended with ${code}`;
    fail(`${name} (${sanitizer}) ${how}`);
  }
}

async function tool([command, ...first], args, what) {
  const { code, output } = await capture(command, [...first, ...args], { env: compilerEnv });
  process.stdout.write(output);
  if (code !== 0) fail(what);
  return code === 0;
}

function fail(what) {
  ++counts.failed;
  console.log(`not ok ${what}`);
}

function capture(command, args, options) {
  return new Promise((settled) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => settled({ code: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => settled({ code: code ?? signal, output }));
  });
}

// The files that the object was made from, by the compiler's list; undefined before the first time.
function prerequisites(file) {
  try {
    return readFileSync(file, 'utf8')
      .replace(/^[^:]*:/, '')
      .match(/(\\ |[^\s\\])+/g)
      .map((path) => path.replaceAll('\\ ', ' '));
  } catch {
    return undefined;
  }
}

function isOlder(file, others) {
  const made = modified(file);
  // This file counts: it holds the flags.
  const all = others && [...others, fileURLToPath(import.meta.url)];
  return made === undefined || !all || all.some((other) => !(modified(other) <= made));
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function list(folder, pattern) {
  const names = statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : [];
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

async function inParallel(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

function whyNoCompiler() {
  const { error } = spawnSync('g++', ['--version']);
  return error && 'not in PATH';
}

// The compiler knows the flag even where its library is not installed, and a library may not bear
// this kernel's address layout: only a program that ran says that it is there.
function whyNoSanitizer(build) {
  mkdirSync(folderOf(build), { recursive: true });
  const program = join(folderOf(build), 'probe');
  const options = { input: 'int main() {}' };
  if (spawnSync('g++', [...build.flags, '-x', 'c++', '-', '-o', program], options).status !== 0)
    return 'g++ has no library for it';
  if (spawnSync(program).status !== 0) return 'a program made with it does not start';
  return undefined;
}
