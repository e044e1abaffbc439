// The error for each reason why the addon cannot be loaded; each cause is made for real where that is possible.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { here, root, run, scratch, test } from './workshop.mjs';

const target = `${process.platform}-${process.arch}`;
const [major] = process.versions.node.split('.').map(Number);
const permission = major < 22 ? '--experimental-permission' : '--permission';

/** @param {string} installed the folder of the package */
export async function testFailures(installed) {
  let count = 0;

  /** Uses the package in a new folder and returns the message of its first use. */
  function firstUse(prepare, { flags = [], env = {}, wrap } = {}) {
    const folder = join(scratch, `failure-${++count}`);
    const home = join(folder, 'node_modules/patchcord');
    const addon = join(home, 'prebuilds', target, 'patchcord.node');
    cpSync(installed, home, { recursive: true });
    cpSync(join(here, 'first-use.cjs'), join(folder, 'first-use.cjs'));
    const extra = prepare?.({ folder, home, addon }) ?? {};
    const command = [process.execPath, ...flags, ...(extra.flags ?? []), 'first-use.cjs'];
    const [program, ...args] = wrap ? wrap(folder, command) : command;
    const { stdout, output } = run(program, args, {
      cwd: folder,
      env: { ...process.env, ...env, ...extra.env },
    });
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    assert.ok(line, output);
    return { ...JSON.parse(line), folder, home, addon };
  }

  async function fails(name, pattern, prepare, options) {
    await test(`the load error names the cause: ${name}`, () => {
      const { code, message } = firstUse(prepare, options);
      assert.equal(code, 'ERR_AUDIO_NATIVE_LOAD_FAILED', message);
      assert.match(message, pattern);
    });
  }

  async function loads(name, prepare, options) {
    await test(`the addon loads: ${name}`, () => {
      assert.equal(firstUse(prepare, options).message, 'loaded');
    });
  }

  const pretend = (properties) => ({ env: { PRETEND: JSON.stringify(properties) } });
  const supported = /the package supports linux-x64 \(glibc 2\.28 or later\) and win32-x64/;
  const patch = (file, change) => {
    const bytes = readFileSync(file);
    change(bytes);
    writeFileSync(file, bytes);
  };
  const replace = (bytes, from, to) => {
    const index = bytes.indexOf(from);
    assert.ok(index >= 0, `no ${from} in the file`);
    bytes.fill(0, index, index + from.length);
    bytes.write(to, index);
  };

  await fails(
    'no file',
    /was not found; looked for .*prebuilds.* Install the package again/,
    (at) => rmSync(join(at.home, 'prebuilds'), { recursive: true }),
  );
  const mac = pretend({ platform: 'darwin', arch: 'arm64' });
  await fails('an unsupported platform', /no native addon for darwin-arm64/, undefined, mac);
  await fails('which platforms are supported', supported, undefined, mac);
  const small = pretend({ arch: 'ia32' });
  await fails('a 32-bit process', /-ia32; .* Use a 64-bit build/, undefined, small);
  await fails('a file for Windows', /is for win32-arm64, but this process is/, ({ addon }) => {
    const bytes = Buffer.alloc(1024);
    bytes.write('MZ');
    bytes.writeUInt32LE(0x80, 60);
    bytes.write('PE\0\0', 0x80, 'latin1');
    bytes.writeUInt16LE(0xaa64, 0x84);
    writeFileSync(addon, bytes);
  });
  await fails('a file for macOS', /is for darwin-x64, but this process is/, ({ addon }) => {
    writeFileSync(addon, Buffer.from('cffaedfe07000001'.padEnd(200, '0'), 'hex'));
  });
  await fails('an empty file', /patchcord\.node is damaged/, ({ addon }) => truncateSync(addon, 0));
  await fails('another addon', /is not the native addon of this version/, ({ addon }) =>
    cpSync(anotherAddon(), addon),
  );
  await fails('--no-addons', /flags that forbid native addons.* without --no-addons/, undefined, {
    flags: ['--no-addons'],
  });
  await fails('--permission without --allow-addons', /with --allow-addons/, undefined, {
    flags: [permission, '--allow-fs-read=*'],
  });
  await fails(
    '--permission without leave to read the addon',
    /does not let this process read .*patchcord\.node.*--allow-fs-read/,
    ({ folder, home }) => {
      const readable = [
        join(folder, 'first-use.cjs'),
        join(home, 'dist'),
        join(home, 'package.json'),
      ];
      return { flags: readable.map((path) => `--allow-fs-read=${path}`) };
    },
    { flags: [permission, '--allow-addons'] },
  );
  await fails(
    'PATCHCORD_ADDON',
    /PATCHCORD_ADDON names .*nowhere\.node, which does not/,
    undefined,
    {
      env: { PATCHCORD_ADDON: 'nowhere.node' },
    },
  );

  if (process.platform === 'linux') {
    await fails(
      'a file for another processor',
      /is for linux-arm64, but this process is linux-x64/,
      ({ addon }) => patch(addon, (bytes) => bytes.writeUInt16LE(0xb7, 18)),
    );
    await fails('a file that was cut', /patchcord\.node is damaged/, ({ addon }) =>
      truncateSync(addon, 500_000),
    );
    await fails('an older glibc', /GLIBC_9\.99.* glibc 2\.28 or later/, ({ addon }) =>
      patch(addon, (bytes) => replace(bytes, 'GLIBC_2.14', 'GLIBC_9.99')),
    );
    await fails('musl', /needs glibc; this program was built for musl/, ({ folder }) => {
      const program = join(folder, 'node-for-musl');
      const header = readFileSync(process.execPath).subarray(0, 1 << 20);
      replace(header, '/lib64/ld-linux-x86-64.so.2', '/lib/ld-musl-x86_64.so.1');
      writeFileSync(program, header);
      return pretend({ execPath: program });
    });
    // A separate mount, which ends with the process.
    const noexec = (folder, command) => {
      const mount = `mount -t tmpfs -o noexec none "$1" && cp -r "$2" "$1/patchcord" && shift 2 && exec "$@"`;
      const modules = join(folder, 'node_modules');
      const away = join(folder, 'package');
      renameSync(join(modules, 'patchcord'), away);
      return ['unshare', '--mount', 'sh', '-c', mount, 'sh', modules, away, ...command];
    };
    await fails('noexec', /did not load: .*noexec/, undefined, { wrap: noexec });
  }

  await loads('with --permission, --allow-addons and leave to read', undefined, {
    flags: [permission, '--allow-addons', '--allow-fs-read=*'],
  });
  await loads('with variables of npm and of other loaders in the environment', undefined, {
    env: {
      npm_config_arch: 'ia32',
      npm_config_platform: 'darwin',
      npm_config_libc: 'musl',
      LIBC: 'musl',
      PREBUILDS_ONLY: '1',
    },
  });
  await loads("beside another program's build/Release", ({ home }) => {
    const release = join(dirname(home), 'build/Release');
    mkdirSync(release, { recursive: true });
    cpSync(anotherAddon(), join(release, 'another.node'));
    mkdirSync(join(home, 'build/Release'), { recursive: true });
    cpSync(anotherAddon(), join(home, 'build/Release/another.node'));
  });
  await loads('the file that PATCHCORD_ADDON names', ({ folder, addon }) => {
    renameSync(addon, join(folder, 'elsewhere.node'));
    return { env: { PATCHCORD_ADDON: 'elsewhere.node' } };
  });
}

/** An addon of another package: rollup's, which tsup brings. */
function anotherAddon() {
  const modules = join(root, 'node_modules/@rollup');
  const name = readdirSync(modules).find((folder) => folder.startsWith(`rollup-${target}`));
  const file = readdirSync(join(modules, name)).find((path) => path.endsWith('.node'));
  return join(modules, name, file);
}
