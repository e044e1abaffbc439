// `npm run test:types`: the declarations of the packed package in strict projects without skipLibCheck: with
// TypeScript from 5.4 to the newest, with the types of Node.js from 20 to the newest, with each way of resolving
// modules, in CommonJS and in ES modules. Prints `ok` and `not ok` lines.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { here, install, pack, requireTools, scratch, test } from './workshop.mjs';

const modules = join(here, 'tools/node_modules');
const require = requireTools();
const versions = (prefix) =>
  readdirSync(modules)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .sort((one, other) => Number(one) - Number(other));
const compilers = versions('typescript-');
const types = versions('types-node-');
// The files are ES modules by their extension, or CommonJS; a bundler resolves for one of them.
const resolutions = { node16: 'node16', nodenext: 'nodenext', bundler: 'esnext' };

const installed = install(pack(), join(scratch, 'installed'));

/** A folder in which the package and these types of Node.js are installed, with the consumer. */
function appWith(version) {
  const folder = join(scratch, `types-node-${version}`);
  const home = join(folder, 'node_modules');
  const source = join(modules, `types-node-${version}`);
  cpSync(installed, join(home, 'patchcord'), { recursive: true });
  cpSync(source, join(home, '@types/node'), { recursive: true });
  const undici = createRequireFor(source)('undici-types/package.json');
  cpSync(dirname(undici), join(home, 'undici-types'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  copyFileSync(join(here, 'consumer.ts'), join(folder, 'consumer.mts'));
  copyFileSync(join(here, 'consumer.ts'), join(folder, 'consumer.cts'));
  copyFileSync(join(here, 'one-type.mts'), join(folder, 'one-type.mts'));
  return { version, folder, needs: JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) };
}

function createRequireFor(folder) {
  return (name) => require.resolve(name, { paths: [folder] });
}

function compile(compiler, folder, resolution) {
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    module: resolutions[resolution],
    moduleResolution: resolution,
    types: ['node'],
  };
  const file = join(folder, `tsconfig.${compiler}.${resolution}.json`);
  writeFileSync(file, JSON.stringify({ compilerOptions: options, include: ['*.mts', '*.cts'] }));
  return new Promise((resolve, reject) => {
    const tsc = require.resolve(`typescript-${compiler}/package.json`);
    const child = spawn(process.execPath, [join(dirname(tsc), 'bin/tsc'), '-p', file], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

// Each compiler with the newest types that support it, the newest compiler with all types, and the oldest and
// the newest with each way of resolving modules.
const runs = [];
const apps = types.map(appWith);
const newest = compilers.at(-1);
for (const compiler of compilers) {
  // Types of Node.js that do not support a compiler cause errors in their own files.
  const fitting = apps.filter(({ needs }) => Number(compiler) >= Number(needs.typeScriptVersion));
  for (const app of compiler === newest ? fitting : fitting.slice(-1)) {
    const isEnd = [compilers[0], newest].includes(compiler) && app === fitting.at(-1);
    const ways = isEnd ? Object.keys(resolutions) : ['nodenext'];
    for (const resolution of ways) runs.push({ ...app, compiler, resolution });
  }
}
const worker = async () => {
  for (let next = runs.shift(); next; next = runs.shift()) {
    const { compiler, version, folder, resolution } = next;
    await test(`TypeScript ${compiler}, @types/node ${version}, ${resolution}`, async () => {
      const { code, output } = await compile(compiler, folder, resolution);
      assert.equal(code, 0, output);
    });
  }
};
await Promise.all(Array.from({ length: availableParallelism() }, worker));
