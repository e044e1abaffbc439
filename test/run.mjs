// `npm test`: runs every suite that this machine allows, names what is absent and
// why, and ends with a line `N passed, N failed` that counts single tests over all suites. It builds
// first. Exits 1 if anything failed.
//
//     npm test -- [--require-all] [SUITE...]      e.g. npm test -- unit conformance:pulse
//
// With --require-all whatever is absent is a failure (environment variable PATCHCORD_REQUIRE_ALL=1 tells
// the suites). A conformance suite finds its backend's name in PATCHCORD_TEST_BACKEND (simulated, pulse,
// pipewire or wasapi) and a private server in the usual variables.
//
// Suites that are not vitest's report on standard output in one of two ways:
//   - lines that begin with `ok` or `not ok`, one for each test, or
//   - a line `N passed, N failed`; where there is one, the last counts and ok lines do not.
// A line `absent: WHAT (WHY): WHAT FOLLOWS` names what could not run; it is repeated at the end. A suite
// that fails without a failed test counts as one failed test, and so does one that runs no test. Failures are named
// once more at the end.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { startPipeWire, startPulseAudio, whyAbsent } from './servers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const resolve = createRequire(import.meta.url).resolve;
// One that hangs must not take the others with it. The native tests are compiled twice.
const suiteLimitMs = 40 * 60_000;

const script = (path, ...args) => [process.execPath, join(root, path), ...args];
const typescript = (project) => [
  process.execPath,
  resolve('typescript/bin/tsc'),
  '--noEmit',
  '-p',
  project,
];
const isLinux = process.platform === 'linux';
const isWindows = process.platform === 'win32';
const pulse = isLinux ? { server: 'pulse' } : {};

const stalls = ['server-stalls', 'stopped-recordings'].map(
  (name) => `test/lifecycle/${name}.test.ts`,
);

// A suite with `beside` runs at the same time as the suite of that name.
const suites = [
  { name: 'layers', command: script('scripts/check-layers.mjs') },
  { name: 'docs', command: script('scripts/check-docs.mjs') },
  { name: 'words', command: script('scripts/check-words.mjs') },
  { name: 'diagrams', command: script('scripts/diagrams.mjs', '--check') },
  { name: 'typecheck', command: typescript('tsconfig.json'), single: true },
  { name: 'typecheck:tests', command: typescript('tsconfig.test.json'), single: true },
  { name: 'native', command: script('test/native/run.mjs') },
  { name: 'unit', vitest: 'unit' },
  { name: 'conformance:simulated', vitest: 'conformance', backend: 'simulated' },
  isLinux && {
    name: 'conformance:pulse',
    vitest: 'conformance',
    backend: 'pulse',
    server: 'pulse',
  },
  isLinux && {
    name: 'conformance:pipewire',
    vitest: 'conformance',
    backend: 'pipewire',
    server: 'pipewire',
  },
  isWindows && { name: 'conformance:wasapi', vitest: 'conformance', backend: 'wasapi' },
  { name: 'lifecycle', vitest: 'lifecycle', without: stalls, ...pulse },
  // These tests have their own servers, and mostly wait.
  isLinux && { name: 'lifecycle:stalls', vitest: 'lifecycle', only: stalls, beside: 'lifecycle' },
  { name: 'package', command: script('test/package/run.mjs') },
  { name: 'types', command: script('test/package/types.mjs') },
  { name: 'runtimes', command: script('test/package/runtimes.mjs'), ...pulse },
  isLinux && { name: 'windows', command: script('test/windows/run.mjs') },
].filter(Boolean);

const servers = {
  pulse: { title: 'PulseAudio', start: startPulseAudio },
  pipewire: { title: 'PipeWire', start: startPipeWire },
};

const requireAll = process.argv.includes('--require-all');
const wanted = process.argv.slice(2).filter((argument) => argument !== '--require-all');
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `unknown suite: ${unknown.join(', ')}; there are ${suites.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'patchcord-test-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const results = [];
const absent = [];
const failures = [];

const tsup = [
  process.execPath,
  join(dirname(resolve('tsup/package.json')), 'dist/cli-default.js'),
  '--silent',
];
for (const command of [script('scripts/build-native.mjs'), tsup]) {
  if ((await stream('build', command, process.env)).code !== 0) {
    console.log('\nThe build failed; no suite ran.\n0 passed, 1 failed');
    process.exit(1);
  }
}
const isWanted = ({ name }) => wanted.length === 0 || wanted.includes(name);
for (const suite of suites.filter(isWanted)) {
  if (suite.started) continue;
  const together = [
    suite,
    ...suites.filter((other) => other.beside === suite.name && isWanted(other)),
  ];
  for (const other of together) other.started = true;
  await Promise.all(together.map(runSuite));
}

const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
console.log();
for (const line of failures) console.log(line);
for (const { name, passed, failed, skipped, seconds, note } of results) {
  const extra = [skipped > 0 ? `${skipped} skipped` : '', note].filter(Boolean).join('; ');
  const counts = `${String(passed).padStart(5)} passed ${String(failed).padStart(3)} failed`;
  console.log(`${name.padEnd(22)} ${counts} ${seconds.padStart(6)} s  ${extra}`.trimEnd());
}
for (const line of absent) console.log(line);
const failed = total('failed') + (requireAll ? absent.length : 0);
if (requireAll && absent.length > 0) console.log('--require-all: each absence counts as a failure');
console.log(`${total('passed')} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function runSuite(suite) {
  const start = process.hrtime.bigint();
  const env = { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' };
  if (requireAll) env.PATCHCORD_REQUIRE_ALL = '1';
  if (suite.backend) env.PATCHCORD_TEST_BACKEND = suite.backend;

  let server;
  let counts;
  if (suite.server) {
    const { title, start: startServer } = servers[suite.server];
    const reason = whyAbsent(suite.server);
    if (reason) {
      // Only a conformance suite is about its server.
      absent.push(
        `absent: ${title} (${reason}): ${suite.name} did not run${suite.backend ? '' : ' with it'}`,
      );
      if (suite.backend) return;
    } else {
      try {
        server = await startServer();
        Object.assign(env, server.env);
      } catch (error) {
        console.log(`${suite.name} | ${error.message}`);
        counts = { passed: 0, failed: 1, skipped: 0, note: `${title} did not start` };
      }
    }
  }
  console.log(`\n${suite.name}${server ? ` (${server.name})` : ''}`);
  counts ??= suite.vitest ? await runVitest(suite, env) : await runScript(suite, env);
  await server?.stop();
  const seconds = (Number(process.hrtime.bigint() - start) / 1e9).toFixed(1);
  results.push({ name: suite.name, seconds, ...counts });
}

async function runVitest(suite, env) {
  const report = join(scratch, `${suite.name.replace(':', '-')}.json`);
  const vitest = join(dirname(resolve('vitest/package.json')), 'vitest.mjs');
  const command = [
    process.execPath,
    vitest,
    'run',
    '--project',
    suite.vitest,
    ...(suite.only ?? []),
  ];
  for (const file of suite.without ?? []) command.push('--exclude', file);
  command.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  const { code, note } = await stream(suite.name, command, env);
  let json;
  try {
    json = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return settle({ passed: 0, failed: 0, skipped: 0 }, code, note);
  }
  for (const test of json.testResults.flatMap((file) => file.assertionResults)) {
    if (test.status === 'failed') {
      const [why = ''] = (test.failureMessages[0] ?? '').split('\n');
      failures.push(`failed: ${suite.name}: ${test.fullName}: ${why}`);
    }
    if (test.status === 'pending' || test.status === 'todo' || test.status === 'skipped') {
      console.log(`${suite.name} | skipped: ${test.fullName}`);
    }
  }
  const skipped = json.numPendingTests + json.numTodoTests;
  return settle({ passed: json.numPassedTests, failed: json.numFailedTests, skipped }, code, note);
}

async function runScript(suite, env) {
  const { code, note, lines } = await stream(suite.name, suite.command, env);
  if (suite.single)
    return settle({ passed: code === 0 ? 1 : 0, failed: 0, skipped: 0 }, code, note);
  const closing = lines.map((line) => /^(\d+) passed, (\d+) failed\b/.exec(line)).findLast(Boolean);
  const count = (pattern) => lines.filter((line) => pattern.test(line)).length;
  const passed = closing ? Number(closing[1]) : count(/^ok\b/);
  const failed = closing ? Number(closing[2]) : count(/^not ok\b/);
  // The second is vitest's own, which the Windows suites run in Wine.
  for (const line of lines.filter((one) => /^not ok\b|^ *FAIL /.test(one))) {
    failures.push(`failed: ${suite.name}: ${line.trim()}`);
  }
  const absences = lines.filter((line) => line.startsWith('absent: '));
  absent.push(...absences);
  return settle({ passed, failed, skipped: 0 }, code, note, absences.length > 0);
}

function settle(counts, code, note, mayBeEmpty = false) {
  if (code !== 0 && counts.failed === 0) {
    return { ...counts, failed: 1, note: note ?? `ended with ${code}` };
  }
  if (counts.passed + counts.failed === 0 && !mayBeEmpty) {
    return { ...counts, failed: 1, note: 'ran no test' };
  }
  return { ...counts, note };
}

// Runs a command and shows its output as it comes, each line with the suite's name before it.
function stream(name, [command, ...args], env) {
  return new Promise((settled) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = [];
    let note;
    const limit = setTimeout(() => {
      note = `stopped after ${suiteLimitMs / 60_000} minutes`;
      child.kill('SIGKILL');
      // The processes that it started may keep the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    }, suiteLimitMs);
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      console.log(`${name} | ${line}`);
    });
    createInterface({ input: child.stderr }).on('line', (line) => console.log(`${name} | ${line}`));
    child.on('error', (error) => (note = error.message));
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      settled({ code: code ?? signal, lines, note });
    });
  });
}
