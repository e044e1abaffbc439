import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, expect, it } from 'vitest';

import { runScene } from './run-scene.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'patchcord-without-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('without a native addon importing works, and the first use says what was looked for', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const modules = join(folder, 'node_modules');
  const home = join(modules, 'patchcord');
  mkdirSync(home, { recursive: true });
  for (const part of ['package.json', 'dist']) {
    cpSync(join(root, part), join(home, part), { recursive: true });
  }

  const outcome = await runScene('without-addon.mjs', { args: [folder] });
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
  const results = Object.entries(JSON.parse(outcome.stdout));
  expect(results).toHaveLength(14);
  for (const [use, result] of results) {
    expect(result, use).toMatchObject({ ours: true, code: 'ERR_AUDIO_NATIVE_LOAD_FAILED' });
    const { message, remedy } = result as { message: string; remedy: string };
    const target = `${process.platform}-${process.arch}`;
    for (const part of [
      target,
      join('build', 'Release', 'patchcord.node'),
      join('prebuilds', target, 'patchcord.node'),
      home,
    ]) {
      expect(message, use).toContain(part);
    }
    expect(remedy, use).toMatch(/^Install the package again/);
  }
});
