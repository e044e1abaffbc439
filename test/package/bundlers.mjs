// Bundlers and tracers: their output for an app runs in a new folder without the package, with
// the addon that they found, or, where docs/shipping.md says so, that was copied.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { here, node, requireTools, run, scratch, test } from './workshop.mjs';

const addon = `prebuilds/${process.platform}-${process.arch}/patchcord.node`;

/** @param {string} installed the folder of the package, in the node_modules of an app */
export async function testBundlers(installed) {
  const require = requireTools();
  const app = join(installed, '../..');
  const source = readFileSync(join(here, 'bundled-app.mjs'), 'utf8');
  const inputs = { ESM: join(app, 'bundled-app.mjs'), CommonJS: join(app, 'bundled-app.cjs') };
  writeFileSync(inputs.ESM, source);
  writeFileSync(
    inputs.CommonJS,
    source.replace(/import (.*) from (.*);/g, 'const $1 = require($2);'),
  );
  const extension = { esm: 'mjs', cjs: 'cjs' };

  const copyAddon = (folder) =>
    cpSync(join(installed, 'prebuilds'), join(folder, 'prebuilds'), { recursive: true });

  /** Runs a bundle where neither the package nor the app's folder can be found. */
  function works(file) {
    const away = join(scratch, 'package-away');
    renameSync(installed, away);
    try {
      assert.equal(node([file], { cwd: dirname(file) }).trim(), '4800 frames');
    } finally {
      renameSync(away, installed);
    }
  }

  const { nodeFileTrace } = require('@vercel/nft');
  for (const [kind, input] of Object.entries(inputs)) {
    await test(`@vercel/nft finds the addon from ${kind}, and what it lists works`, async () => {
      const { fileList } = await nodeFileTrace([input], { base: app });
      assert.ok(
        [...fileList].some((file) => file.endsWith(addon)),
        [...fileList].join('\n'),
      );
      const folder = join(scratch, `traced ${kind}`);
      for (const file of fileList) {
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        copyFileSync(join(app, file), join(folder, file));
      }
      works(join(folder, input.slice(app.length + 1)));
    });
  }

  const esbuild = require('esbuild');
  for (const [kind, input] of Object.entries(inputs)) {
    for (const format of ['esm', 'cjs']) {
      const folder = join(scratch, `esbuild ${kind} ${format}`);
      const outfile = join(folder, `main.${extension[format]}`);
      await test(`esbuild, ${kind} to ${format}: runs with a copy of prebuilds`, async () => {
        const options = { bundle: true, platform: 'node', format, outfile, logLevel: 'silent' };
        const { warnings } = await esbuild.build({ ...options, entryPoints: [input] });
        assert.deepEqual(warnings, []);
        const alone = run(process.execPath, [outfile], { cwd: folder });
        assert.match(
          alone.stderr,
          /was not found.* copy the folder prebuilds .*docs\/shipping\.md/,
        );
        copyAddon(folder);
        works(outfile);
      });
    }
  }

  const { rollup } = require('rollup');
  const { default: nodeResolve } = require('@rollup/plugin-node-resolve');
  const { default: commonjs } = require('@rollup/plugin-commonjs');
  const isBuiltin = (id) => id.startsWith('node:') || builtinModules.includes(id);
  for (const [kind, plugins] of [
    ['ESM', [nodeResolve()]],
    ['CommonJS', [nodeResolve(), commonjs()]],
  ]) {
    for (const format of ['esm', 'cjs']) {
      const folder = join(scratch, `rollup ${kind} ${format}`);
      const file = join(folder, `main.${extension[format]}`);
      await test(`rollup, ${kind} to ${format}: runs with a copy of prebuilds`, async () => {
        const warnings = [];
        const onwarn = ({ message }) => warnings.push(message);
        const bundle = await rollup({ input: inputs[kind], plugins, external: isBuiltin, onwarn });
        await bundle.write({ file, format });
        assert.deepEqual(warnings, []);
        copyAddon(folder);
        works(file);
      });
    }
  }

  for (const [kind, input] of Object.entries(inputs)) {
    for (const format of ['esm', 'cjs']) {
      const folder = join(scratch, `webpack ${kind} ${format}`);
      await test(`webpack, ${kind} to ${format}: runs with a copy of prebuilds`, async () => {
        const file = await webpack(require, { input, folder, format, rules: [] });
        copyAddon(folder);
        works(file);
      });
      await test(`webpack with the loaders of Electron Forge, ${kind} to ${format}: finds the addon`, async () => {
        const forged = `${folder} forge`;
        works(
          await webpack(require, { input, folder: forged, format, rules: forgeRules(require) }),
        );
      });
    }
  }

  await test('a single executable application runs with prebuilds beside it', () => {
    const folder = join(scratch, 'sea');
    const program = singleExecutable(require, join(scratch, 'esbuild ESM cjs/main.cjs'), folder);
    copyAddon(folder);
    const { stdout, output } = run(program, [], { cwd: '/' });
    assert.match(stdout, /4800 frames/, output);
  });
}

async function webpack(require, { input, folder, format, rules }) {
  const module = format === 'esm';
  const filename = module ? 'main.mjs' : 'main.cjs';
  const config = {
    mode: 'production',
    target: 'node20',
    entry: input,
    output: { path: folder, filename, module, chunkFormat: module ? 'module' : 'commonjs' },
    experiments: { outputModule: module },
    optimization: { minimize: false },
    module: { rules },
  };
  const stats = await new Promise((resolve, reject) => {
    require('webpack')(config, (error, result) => (error ? reject(error) : resolve(result)));
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([...errors, ...warnings], []);
  return join(folder, filename);
}

/** As Electron Forge's webpack template has them in webpack.rules.js. */
function forgeRules(require) {
  return [
    { test: /native_modules[/\\].+\.node$/, use: require.resolve('node-loader') },
    {
      test: /[/\\]node_modules[/\\].+\.(m?js|node)$/,
      parser: { amd: false },
      use: {
        loader: require.resolve('@vercel/webpack-asset-relocator-loader'),
        options: { outputAssetBase: 'native_modules' },
      },
    },
  ];
}

/** An app in one file, whose microphone a child process holds. */
export async function testIsolation(installed) {
  const require = requireTools();
  const app = join(installed, '../..');
  copyFileSync(join(here, 'isolated-app.mjs'), join(app, 'isolated-app.mjs'));
  const folder = join(scratch, 'isolated');
  const outfile = join(folder, 'main.cjs');
  const env = {
    ...process.env,
    PATCHCORD_SIMULATION: join(here, 'isolated-world.cjs'),
    TESTING: join(folder, 'testing.js'),
  };
  const works = (program, args) => {
    const { status, stdout, output } = run(program, args, { cwd: '/', env });
    assert.equal(status, 0, output);
    assert.equal(stdout.trim(), '48000 frames, a tone', output);
  };
  const copyCode = (to) => {
    cpSync(join(installed, 'prebuilds'), join(to, 'prebuilds'), { recursive: true });
    for (const file of readdirSync(join(installed, 'dist'))) {
      if (file.endsWith('.js')) copyFileSync(join(installed, 'dist', file), join(to, file));
    }
  };

  await test("esbuild: isolation: 'process' works with the scripts of dist beside the bundle", async () => {
    await require('esbuild').build({
      bundle: true,
      platform: 'node',
      format: 'cjs',
      entryPoints: [join(app, 'isolated-app.mjs')],
      outfile,
      logLevel: 'silent',
    });
    cpSync(join(installed, 'prebuilds'), join(folder, 'prebuilds'), { recursive: true });
    const alone = run(process.execPath, [outfile], {
      cwd: '/',
      env: { ...env, TESTING: join(installed, 'dist/testing.js') },
    });
    assert.equal(alone.status, 1, alone.output);
    assert.match(alone.stderr, /its program was not found at .*Copy node_modules\/patchcord\/dist/);
    copyCode(folder);
    works(process.execPath, [outfile]);
  });

  await test('a single executable starts itself as the child process that holds a microphone', () => {
    const place = join(scratch, 'isolated sea');
    const program = singleExecutable(require, outfile, place);
    copyCode(place);
    works(program, ['sea']);
  });
}

/** Makes a single executable of a script, and returns its path. */
function singleExecutable(require, main, folder) {
  mkdirSync(folder);
  const config = { main, output: join(folder, 'blob') };
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config));
  node(['--experimental-sea-config', join(folder, 'sea.json')]);
  const program = join(folder, process.platform === 'win32' ? 'app.exe' : 'app');
  copyFileSync(process.execPath, program);
  chmodSync(program, 0o755);
  const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
  const postject = require.resolve('postject/dist/cli.js');
  node([postject, program, 'NODE_SEA_BLOB', config.output, '--sentinel-fuse', fuse]);
  return program;
}
