// `npm run test:windows [-- --node 20|22|24] [--suite NAME]... [--file PART]... [--tones]`: runs the Windows
// build in Wine, against its own PulseAudio; of vitest's suites only the files with PART in their names.
// Prepares and builds first. Ends with `N passed, N failed`.
//
// Suites: `load` (the prebuilt addon in node.exe and in a renamed copy of it), `package` (the tarball
// installed in a folder with a space and a `#`), `unit` (the tests of files and processes; with --file any),
// `conformance` and `lifecycle` (vitest's projects),
// `mmdevapi` (the addon on a simulated Windows audio engine; mmdevapi.mjs). vitest's tests find in their
// environment:
//   PATCHCORD_TEST_BACKEND=wasapi
//   PATCHCORD_OUTSIDE=host:port   for outside-client.mjs: players, recorders, devices, defaults
//   PATCHCORD_TEST_TONES          with --tones: the tones that play all the time, as JSON: [{ device, frequency, db }]
// Endpoints: outputs Speakers, Headset, Microphone_Feed, CABLE_Input; inputs Microphone (carries Microphone_Feed),
// CABLE_Output (carries CABLE_Input), and a monitor of each output.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { crossCompiler, hostImports, whyNoCrossCompiler } from '../../scripts/cross-windows.mjs';
import { startPulseAudio } from '../servers.mjs';
import { buildForWindows, runMmdevapi, usualLimitMs } from './mmdevapi.mjs';
import { cableModules, createOutside, serveOutside } from './outside.mjs';
import { nodeVersions, whyNoWine } from './prepare.mjs';
import { withWine } from './wine.mjs';

const project = join(dirname(fileURLToPath(import.meta.url)), '../..');
const suites = {
  load,
  package: packageInstalled,
  unit: vitest,
  conformance: vitest,
  lifecycle: vitest,
  mmdevapi: simulatedWindows,
};
// These two mostly wait. They run at the same time, each in its own session.
const together = ['lifecycle', 'mmdevapi'];
const conformanceLimitMs = 10 * 60_000;
// Tests that depend on the file system, paths and processes; the others run the same JavaScript as on Linux.
const unitFiles = ['demo', 'errors', 'testing-page', 'virtual-mics', 'wav-reader', 'wav-writer'];
const tones = [
  { device: 'micfeed', frequency: 1000, db: -12 },
  { device: 'speakers', frequency: 440, db: -12 },
];

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: '20' },
    suite: { type: 'string', multiple: true, default: Object.keys(suites).filter(hasTests) },
    file: { type: 'string', multiple: true, default: [] },
    tones: { type: 'boolean', default: false },
  },
});
for (const [value, known] of [
  [[options.node], nodeVersions],
  [options.suite, Object.keys(suites)],
]) {
  const unknown = value.filter((name) => !known.includes(name));
  if (unknown.length === 0) continue;
  console.error(`unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}

const reason = whyNoWine() ?? whyNoCrossCompiler();
if (reason) {
  console.log(`absent: Wine (${reason}): no test ran as Windows`);
  console.log('0 passed, 0 failed');
  process.exit(0);
}

const counts = { passed: 0, failed: 0 };
buildForWindows();
const pulse = await startPulseAudio({ modules: cableModules });
try {
  const env = { ...pulse.env, PATCHCORD_TEST_BACKEND: 'wasapi', NO_COLOR: '1' };
  await withWine({ node: options.node, env, log: console.log }, async (wine) => {
    const run = (name) => withOutside(wine, (variables) => suites[name](wine, name, variables));
    for (const name of options.suite.filter((name) => !together.includes(name))) await run(name);
    await Promise.all(options.suite.filter((name) => together.includes(name)).map(run));
  });
} finally {
  await pulse.stop();
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;

// A vitest project without a test yet is no suite.
function hasTests(name) {
  return suites[name] !== vitest || existsSync(join(project, 'test', name));
}

// The players and devices of a suite end with it.
async function withOutside(wine, use) {
  const key = 'HKCU\\Software\\Wine\\Drivers\\winepulse.drv';
  const outside = createOutside({
    env: pulse.env,
    folder: wine.folder,
    // Wine's own way to choose one; running programs are notified.
    setDefaultEndpoint: async (value, id) => {
      const { code, stderr } = await wine.run(['reg', 'add', key, '/v', value, '/d', id, '/f']);
      if (code !== 0) throw new Error(`reg add: ${stderr}`);
    },
  });
  const server = await serveOutside(outside);
  try {
    const variables = { PATCHCORD_OUTSIDE: server.address };
    if (options.tones) {
      for (const tone of tones) await outside.play(tone);
      variables.PATCHCORD_TEST_TONES = JSON.stringify(tones);
    }
    await use(variables);
  } finally {
    await outside.close();
    await server.close();
  }
}

async function test(name, body) {
  try {
    await body();
    counts.passed++;
    console.log(`ok - ${name}`);
  } catch (error) {
    counts.failed++;
    console.log(`not ok - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, '    '));
  }
}

async function runNode(wine, executable, args, runOptions) {
  const { code, stdout, stderr, timedOut } = await wine.run([executable, ...args], runOptions);
  assert.equal(
    code,
    0,
    `${timedOut ? 'killed after its time' : `ended with ${code}`}\n${stdout}${stderr}`,
  );
  return stdout;
}

async function load(wine) {
  const script = `const addon = require('./prebuilds/win32-x64/patchcord.node');
    const before = process.hrtime.bigint();
    const now = new addon.Host('wasapi').now();
    const after = process.hrtime.bigint();
    const path = require('node:path').basename(process.execPath);
    console.log(JSON.stringify({ path, backends: addon.backends(), between: before <= now && now <= after }));`;
  const renamed = join(wine.folder, 'app.exe');
  copyFileSync(wine.nodePath, renamed);
  for (const [executable, path] of [
    [wine.node, 'node.exe'],
    [`Z:${renamed}`, 'app.exe'],
  ]) {
    await test(`Node ${options.node}: the addon loads in ${path}; its clock is process.hrtime's`, async () => {
      const report = JSON.parse(await runNode(wine, executable, ['-e', script]));
      assert.deepEqual(report, { path, backends: ['wasapi'], between: true });
    });
  }
  await test(`Node ${options.node}: a number is right though resolving an import loses it`, async () => {
    const addon = buildFirstNumber(wine);
    const printed = await runNode(wine, wine.node, [
      '-p',
      `JSON.stringify(require(${JSON.stringify(addon)}))`,
    ]);
    assert.deepEqual(JSON.parse(printed), { number: 42.5, thunks: 1 });
  });
  await test('bench/native: render_client compiles', () => compileRenderClient(wine));
}

// Compiled here, so that it does not rot; bench/live-sink.mjs runs it.
function compileRenderClient(wine) {
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-municode', '-static', '-s'];
  const defines = ['-DUNICODE', '-D_UNICODE', '-D_WIN32_WINNT=0x0A00', '-DINITGUID'];
  const source = join(project, 'bench/native/render_client.cc');
  const file = join(wine.folder, 'render_client.exe');
  execFileSync(crossCompiler, [...flags, ...defines, '-o', file, source, '-lole32'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

// Linked as the addon is, with its hook.
function buildFirstNumber(wine) {
  const file = join(wine.folder, 'first_number.node');
  const sources = ['test/windows/first_number.cc', 'src/addon/delay_load_hook.cc'];
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-shared', '-static', '-s'];
  execFileSync(
    crossCompiler,
    [
      ...flags,
      ...['-isystem', hostImports.includeDir, '-o', file],
      ...sources.map((path) => join(project, path)),
      hostImports.library,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  return `Z:${file.replaceAll('/', '\\')}`;
}

async function packageInstalled(wine) {
  const folder = join(wine.folder, 'an app #1');
  const npm = (args, cwd) =>
    execFileSync('npm', [...args, '--loglevel=error'], {
      cwd,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const addon = ['patchcord', 'prebuilds', 'win32-x64', 'patchcord.node'];
  await test('npm pack; npm install for Windows in a folder with a space and a #', () => {
    npm(['pack', '--ignore-scripts', '--pack-destination', wine.folder], project);
    const tarball = readdirSync(wine.folder).find((name) => name.endsWith('.tgz'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const target = ['--os=win32', '--cpu=x64', '--ignore-scripts', '--no-audit', '--no-fund'];
    npm(['install', ...target, join(wine.folder, tarball)], folder);
    for (const file of ['consumer.cjs', 'consumer.mjs', 'report.cjs']) {
      copyFileSync(join(project, 'test/package', file), join(folder, file));
    }
    assert.ok(existsSync(join(folder, 'node_modules', ...addon)));
  });
  for (const [how, file] of [
    ['require', 'consumer.cjs'],
    ['import', 'consumer.mjs'],
  ]) {
    await test(`Node ${options.node}: ${how} loads nothing native, first use loads the prebuild`, async () => {
      const report = JSON.parse(await runNode(wine, wine.node, [file], { cwd: folder }));
      assert.equal(report.error, undefined);
      assert.deepEqual(report.afterImport, []);
      assert.equal(report.afterUse.length, 1);
      assert.ok(
        report.afterUse[0].endsWith(['an app #1', 'node_modules', ...addon].join('\\')),
        report.afterUse[0],
      );
    });
  }
}

// The program that records as others do; build/ is empty in a session, its own folder is not.
function buildRecorder(wine) {
  const file = join(wine.folder, 'recorder.exe');
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-municode', '-static', '-s'];
  const defines = ['-DUNICODE', '-D_UNICODE', '-D_WIN32_WINNT=0x0A00', '-DINITGUID'];
  const libraries = ['-lole32', '-lwinmm', '-ldsound', '-ldxguid'];
  const source = join(project, 'test/windows/recorder.cc');
  execFileSync(crossCompiler, [...flags, ...defines, '-o', file, source, ...libraries], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return `Z:${file.replaceAll('/', '\\')}`;
}

// In a separate session, because there mmdevapi.dll is another.
async function simulatedWindows() {
  // All of the random commands take longer than their part.
  const { PATCHCORD_SEQUENCES: sequences } = process.env;
  const { passed, failed } = await runMmdevapi({
    node: options.node,
    files: options.file,
    limitMs: usualLimitMs + Number(sequences ?? 0) * 1000,
    env: sequences ? { PATCHCORD_SEQUENCES: sequences } : {},
  });
  counts.passed += passed;
  counts.failed += failed;
}

async function vitest(wine, name, env) {
  if (name === 'conformance') env = { ...env, PATCHCORD_RECORDER: buildRecorder(wine) };
  const report = join(wine.folder, `${name}.json`);
  const usual = name === 'unit' ? unitFiles.map((file) => `test/unit/${file}.test.ts`) : [];
  const args = [
    'run',
    ...(options.file.length > 0 ? options.file : usual),
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { code, timedOut } = await wine.run(
    [wine.node, 'node_modules/vitest/vitest.mjs', ...args],
    {
      env,
      limitMs: conformanceLimitMs,
      onOutput: (text) => process.stdout.write(text),
    },
  );
  const json = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  const { numPassedTests: passed = 0, numFailedTests: failed = 0 } = json;
  counts.passed += passed;
  counts.failed += failed;
  // A file that does not load, a worker that crashed, a run without a test.
  if (failed === 0 && (code !== 0 || passed === 0)) {
    counts.failed++;
    console.log(`not ok - ${name} ${timedOut ? 'did not end in time' : `ended with ${code}`}`);
  }
}
