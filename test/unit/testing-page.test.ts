// docs/testing.md shows what examples/app.test.mjs runs, and a module for apps that cannot be given a backend.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const example = here('examples/app.test.mjs');
const text = (path: string) => readFileSync(path, 'utf8').replaceAll('\r', '');

const pieces = text(here('docs/testing.md')).match(/(?<=```js\n)[^]*?(?=\n```)/g) ?? [];
const isModule = (piece: string) => piece.startsWith('// world.mjs');

it('every piece of code on the page is in the example, or is a separate module', () => {
  expect(pieces.length).toBeGreaterThan(5);
  expect(pieces.filter(isModule)).toHaveLength(1);
  for (const piece of pieces) if (!isModule(piece)) expect(text(example)).toContain(piece);
});

it('the example passes', () => {
  const { status, stdout } = spawnSync(process.execPath, [example], { encoding: 'utf8' });
  expect(stdout).toContain('unplugged');
  expect(status, stdout).toBe(0);
}, 60_000);

describe('PATCHCORD_SIMULATION', () => {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-simulation-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const dist = pathToFileURL(here('dist/')).href;
  // In the package's place: where the app finds it.
  const write = (name: string, code: string): string => {
    const path = join(folder, name);
    writeFileSync(path, code.replaceAll("'patchcord/testing'", `'${dist}testing.mjs'`));
    return path;
  };
  const app = (env: Record<string, string>, code: string) => {
    const script = `import { listDevices, MicSource, ProcessSource } from '${dist}index.mjs';\n${code}`;
    const args = ['--input-type=module', '-e', script];
    return spawnSync(process.execPath, args, {
      encoding: 'utf8',
      cwd: folder,
      env: { ...process.env, PATCHCORD_BACKEND: '', ...env },
    });
  };
  const world = (code: string, name = 'world.mjs') =>
    write(name, `import { SimulatedAudio, tone } from 'patchcord/testing';\n${code}`);
  const devices = 'console.log((await listDevices()).map(({ name }) => name).join());';
  const refusal = `try { new MicSource() } catch ({ code, message }) { console.log(code, message) }`;

  it("is the module on the page: an app's streams are in its world", () => {
    write('world.mjs', pieces.find(isModule) as string);
    const { stdout, stderr } = app(
      { PATCHCORD_SIMULATION: 'world.mjs' },
      `const tap = new ProcessSource({ process: 'player.exe' });
       await tap.ready;
       const mic = new MicSource();
       for await (const { data } of mic.chunks()) if (data.some((byte) => byte !== 0)) break;
       console.log('heard');
       await Promise.all([mic.close(), tap.close()]);`,
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('heard\n');
  });

  it('is shared by all streams', () => {
    world(
      "export default new SimulatedAudio({ devices: [{ id: 'one', name: 'Mine', flow: 'input' }] });",
    );
    const { stdout } = app({ PATCHCORD_SIMULATION: 'world.mjs' }, devices + devices);
    expect(stdout).toBe('Mine\nMine\n');
  });

  it('does not affect another backend', () => {
    const { stdout } = app(
      { PATCHCORD_SIMULATION: 'nowhere.mjs', PATCHCORD_BACKEND: 'none' },
      refusal,
    );
    expect(stdout).toContain('ERR_INVALID_ARG_VALUE');
  });

  it.each([
    ['is not there', 'nowhere.mjs', 'could not be loaded'],
    ['exports something else', 'other.mjs', 'exports no SimulatedAudio'],
    ['fails', 'failing.mjs', 'could not be loaded: no such luck'],
  ])('is refused in words where the module %s', (_, name, reason) => {
    write('other.mjs', 'export default {};');
    write('failing.mjs', "throw new Error('no such luck');");
    const { stdout } = app({ PATCHCORD_SIMULATION: name }, refusal);
    expect(stdout).toContain('ERR_AUDIO_BACKEND_UNAVAILABLE');
    expect(stdout).toContain(reason);
    expect(stdout).toContain('Name a module');
  });
});
