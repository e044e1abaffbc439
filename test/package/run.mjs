// `npm run test:package`: the tarball as users get it. Packs it with this machine's prebuilt addon,
// installs it in a folder whose path has a space and a `#`, with no compiler in PATH, with and without
// install scripts, and uses it by `require` and by `import`. Prints `ok` and `not ok` lines.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { checkElf } from './elf.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const resolve = createRequire(import.meta.url).resolve;
const prebuilds = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
// realpath: the addon's path is compared with what the process reports.
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'patchcord-package-')));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

let failed = 0;
function test(name, body) {
  try {
    body();
    console.log(`ok - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}`);
    console.log(String(error.stack ?? error).replace(/^/gm, '    '));
  }
}

// npm as it runs now, or the one in PATH: started by its file, since the users' PATH below has none.
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

function node(args, options = {}) {
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', ...options });
  const output = `${result.stdout}${result.stderr}`;
  assert.equal(result.status, 0, `${args.join(' ')}\n${output}`);
  return result.stdout;
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(path).map((name) => newest(join(path, name))));
}

function prebuildIsCurrent() {
  try {
    const sources = ['src', 'binding.gyp', 'scripts/prebuilds.mjs'].map((path) =>
      newest(join(root, path)),
    );
    return newest(prebuilds) > Math.max(...sources);
  } catch {
    return false;
  }
}

if (!prebuildIsCurrent()) node([join(root, 'scripts/prebuilds.mjs')], { stdio: ['ignore', 2, 2] });
const addonFiles = readdirSync(prebuilds);

let tarball;
test('npm pack builds and packs', () => {
  node([npmFile(), 'pack', '--pack-destination', scratch], { cwd: root });
  tarball = join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz')),
  );
});
if (!tarball) process.exit(1);

test('one prebuilt addon for this platform', () => assert.equal(addonFiles.length, 1));

test('publint --strict finds nothing', () => {
  node([join(root, 'node_modules/publint/src/cli.js'), 'run', '--strict', tarball]);
});

test('the types resolve for every consumer (attw --profile node16)', () => {
  const attw = join(dirname(resolve('@arethetypeswrong/cli/package.json')), 'dist/index.js');
  node([attw, tarball, '--profile', 'node16', '--no-emoji', '--no-color']);
});

if (process.platform === 'linux') {
  for (const [name, check] of checkElf(join(prebuilds, addonFiles[0]))) test(name, check);
}

for (const scripts of ['', '--ignore-scripts']) {
  const folder = join(scratch, `an app #${scripts ? 2 : 1}`);
  const installed = join(folder, 'node_modules/patchcord');
  const label = `npm install ${scripts}`.trim();

  test(`${label}: no compiler, a space and a # in the path`, () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const bin = join(scratch, 'bin');
    mkdirSync(bin, { recursive: true });
    const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball];
    node([npmFile(), ...args, ...(scripts ? [scripts] : [])], {
      cwd: folder,
      env: { ...process.env, PATH: bin, npm_config_global: '', npm_config_prefix: '' },
    });
    for (const file of ['consumer.cjs', 'consumer.mjs', 'report.cjs', 'consumer.ts']) {
      cpSync(join(here, file), join(folder, file));
    }
  });

  for (const file of ['consumer.cjs', 'consumer.mjs']) {
    const how = file === 'consumer.cjs' ? 'require' : 'import';
    test(`${label}: ${how} loads nothing native, first use loads the prebuild`, () => {
      const report = JSON.parse(node([file], { cwd: folder }));
      assert.equal(report.error, undefined);
      assert.deepEqual(report.afterImport, []);
      const addon = join(
        installed,
        'prebuilds',
        `${process.platform}-${process.arch}`,
        addonFiles[0],
      );
      assert.deepEqual(report.afterUse, [addon]);
      assert.ok(
        report.devices.some(({ flow }) => flow === 'input'),
        'no input device',
      );
      assert.ok(
        report.devices.some(({ flow }) => flow === 'output'),
        'no output device',
      );
    });
  }
}

const folder = join(scratch, 'an app #1');
const installed = join(folder, 'node_modules/patchcord');

test('what is installed is the library, the addon, and nothing that runs or compiles', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const script of ['preinstall', 'install', 'postinstall']) {
    assert.equal(manifest.scripts[script], undefined, script);
  }
  assert.deepEqual(Object.keys(manifest.dependencies), ['node-gyp-build']);
  const present = readdirSync(installed).sort();
  assert.deepEqual(present, ['LICENSE', 'README.md', 'dist', 'package.json', 'prebuilds']);
});

for (const type of ['commonjs', 'module']) {
  test(`the declarations compile in a strict ${type} project`, () => {
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types']) {
      const link = join(folder, 'node_modules', name);
      rmSync(link, { recursive: true, force: true });
      symlinkSync(dirname(resolve(`${name}/package.json`)), link, 'junction');
    }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
    const args = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--module',
      'node16',
      '--types',
      'node',
    ];
    args.push('--lib', 'es2022,esnext.disposable', '--preserveSymlinks');
    node([resolve('typescript/bin/tsc'), ...args, 'consumer.ts'], { cwd: folder });
  });
}

for (const file of ['consumer.cjs', 'consumer.mjs']) {
  test(`${file}: without an addon the error says what was looked for`, () => {
    const away = join(installed, 'elsewhere');
    renameSync(join(installed, 'prebuilds'), away);
    try {
      const report = JSON.parse(node([file], { cwd: folder }));
      assert.equal(report.error?.code, 'ERR_AUDIO_NATIVE_LOAD_FAILED');
      assert.match(report.error.message, new RegExp(`${process.platform}.*${process.arch}`, 's'));
      assert.ok(report.isAudioError);
      assert.ok(report.isAudioErrorAcrossBuilds);
    } finally {
      renameSync(away, join(installed, 'prebuilds'));
    }
  });
}

process.exitCode = failed > 0 ? 1 : 0;
