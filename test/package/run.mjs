// `npm run test:package`: the tarball as users get it. Packs it with this machine's addon, installs it in a
// folder whose path has a space and a `#`, with no compiler in PATH, with and without install scripts, uses it
// by `require` and by `import`, bundles it, and breaks it in every way that an error names. Prints `ok` and
// `not ok` lines.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { testBundlers, testIsolation } from './bundlers.mjs';
import { checkElf } from './elf.mjs';
import { testFailures } from './failures.mjs';
import { install, node, npm, pack, root, scratch, test } from './workshop.mjs';

const resolve = createRequire(import.meta.url).resolve;
const addon = join('prebuilds', `${process.platform}-${process.arch}`, 'patchcord.node');
const sizeLimit = 1e6;

await test('npm pack builds what it packs', () => {
  const listed = npm(['pack', '--dry-run', '--json'], { cwd: root });
  const [{ files }] = JSON.parse(listed.slice(listed.indexOf('[\n')));
  assert.ok(files.some(({ path }) => path === 'dist/node.mjs'));
});
const tarball = pack();

await test('every file of the documentation that the code names is in it', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
  const has = (file) => files.includes(`package/${file}`);
  const code = readdirSync(join(root, 'dist'))
    .filter((file) => file.endsWith('.js'))
    .map((file) => readFileSync(join(root, 'dist', file), 'utf8'))
    .join('\n');
  const named = [...code.matchAll(/docs\/[a-z-]+\.md/g)].map(([file]) => file);
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter((file) => !has(file)),
    [],
  );
});

await test('publint --strict finds nothing', () => {
  node([join(root, 'node_modules/publint/src/cli.js'), 'run', '--strict', tarball]);
});

await test('the types resolve for every consumer (attw --profile node16)', () => {
  const attw = join(dirname(resolve('@arethetypeswrong/cli/package.json')), 'dist/index.js');
  node([attw, tarball, '--profile', 'node16', '--no-emoji', '--no-color']);
});

if (process.platform === 'linux') {
  for (const [name, check] of checkElf(join(root, addon))) await test(name, check);
}

const installed = join(scratch, 'an app #1', 'node_modules/patchcord');
const noCompiler = join(scratch, 'bin');
mkdirSync(noCompiler);
for (const [folder, args] of [
  ['an app #1', []],
  ['an app #2', ['--ignore-scripts']],
]) {
  const label = ['npm install', ...args].join(' ');
  const app = join(scratch, folder);
  await test(`${label}: no compiler, a space and a # in the path`, () => {
    const files = ['consumer.cjs', 'consumer.mjs', 'report.cjs'];
    install(tarball, app, { args, files, env: { ...process.env, PATH: noCompiler } });
  });
  for (const [how, file] of [
    ['require', 'consumer.cjs'],
    ['import', 'consumer.mjs'],
  ]) {
    await test(`${label}: ${how} loads nothing native, first use loads the prebuild`, () => {
      const report = JSON.parse(node([file], { cwd: app }));
      assert.equal(report.error, undefined);
      assert.deepEqual(report.afterImport, []);
      assert.deepEqual(report.afterUse, [join(app, 'node_modules/patchcord', addon)]);
      const flows = new Set(report.devices.map(({ flow }) => flow));
      assert.deepEqual([...flows].sort(), ['input', 'output']);
      assert.ok(report.isSameClass, 'import and require give different classes');
    });
  }
}

await test('npx patchcord runs from the installed package', () => {
  const app = join(scratch, 'an app #1');
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  assert.equal(
    npm(['exec', '--offline', '--', 'patchcord', '--version'], { cwd: app }).trim(),
    version,
  );
  const report = npm(
    ['exec', '--offline', '--', 'patchcord', 'doctor', '--json', '--backend', 'simulated'],
    {
      cwd: app,
    },
  );
  assert.ok(JSON.parse(report).findings.every(({ state }) => state !== 'failed'));
});

await test('what is installed is the library, the addon, and nothing that runs or compiles', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    assert.equal(manifest.scripts[script], undefined, script);
  }
  assert.equal(manifest.dependencies, undefined);
  const present = readdirSync(installed).sort();
  const texts = ['LICENSE', 'README.md', 'docs', 'examples'];
  assert.deepEqual(present, [...texts, 'dist', 'package.json', 'prebuilds'].sort());
});

await test(`without the addons it takes less than ${sizeLimit / 1e6} MB`, () => {
  const size = sizeOf(installed) - sizeOf(join(installed, 'prebuilds'));
  console.log(`    ${size} bytes`);
  assert.ok(size < sizeLimit);
});

function sizeOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

await testFailures(installed);
await testBundlers(installed);
await testIsolation(installed);
