// `node test/windows/mmdevapi.mjs [--node 20|22|24]`: runs mmdevapi*.test.ts and a part of campaign.test.ts as Windows, in Wine, with the
// unmodified addon on the simulated Windows audio engine (test/windows/mmdevapi/). Needs no audio server.
// Ends with `N passed, N failed`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { crossBuildWindows, whyNoCrossCompiler } from '../../scripts/cross-windows.mjs';
import { buildMmdevapi } from './build-mmdevapi.mjs';
import { whyNoWine } from './prepare.mjs';
import { withWine } from './wine.mjs';

const project = join(dirname(fileURLToPath(import.meta.url)), '../..');
const installed = 'C:\\windows\\system32\\mmdevapi.dll';

/**
 * A session of Wine whose mmdevapi.dll is ours, for `use`. It is a separate session because there the library
 * serves every program, also without the override.
 * @param {{ node?: '20' | '22' | '24', log?: (line: string) => void }} options
 * @param {(wine: import('./wine.mjs').Wine, env: Record<string, string>) => Promise<T>} use `env`: where
 *   programs find what was built
 * @returns {Promise<T>}
 * @template T
 */
export async function withSimulatedWindows({ node, log }, use) {
  const { library, ...programs } = buildMmdevapi();
  const env = { WINEDLLOVERRIDES: 'mscoree,mshtml=;mmdevapi=n', NO_COLOR: '1' };
  return withWine({ node, env, log }, async (wine) => {
    // build/ is empty in a session, its own folder is not.
    const bring = (file) => {
      const inside = join(wine.folder, basename(file));
      copyFileSync(file, inside);
      return `Z:${inside.replaceAll('/', '\\')}`;
    };
    const copied = await wine.run(['cmd', '/c', 'copy', '/y', bring(library), installed]);
    assert.equal(
      copied.code,
      0,
      `mmdevapi.dll was not installed\n${copied.stdout}${copied.stderr}`,
    );
    return use(wine, {
      PATCHCORD_PROCESS_LOOPBACK_PROBE: bring(programs.probe),
      PATCHCORD_VOICEMEETER_DOUBLE: bring(programs.voicemeeter),
      PATCHCORD_ENGINE_PROBE: bring(programs.engineProbe),
      PATCHCORD_PROCESS_TABLE_PROBE: bring(programs.processTableProbe),
      PATCHCORD_STA_THREAD: bring(programs.staThread),
    });
  });
}

/** Builds the addon for Windows, and what the tests' separate programs load. */
export function buildForWindows() {
  crossBuildWindows();
  // Complete: without its types tsup writes the same files twice at once.
  execFileSync('npx', ['tsup', '--silent'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** How long the tests may take. */
export const usualLimitMs = 5 * 60_000;

/**
 * Needs what buildForWindows() builds.
 * @param {{ node?: '20' | '22' | '24', log?: (line: string) => void, files?: string[],
 *   env?: Record<string, string>, limitMs?: number }} [options] `files`: default all; `env`: for the tests.
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runMmdevapi({
  node = '20',
  log = console.log,
  files = [],
  env: given = {},
  limitMs = usualLimitMs,
} = {}) {
  return withSimulatedWindows({ node, log }, async (wine, env) => {
    const report = join(wine.folder, 'mmdevapi.json');
    const reporters = ['--reporter=verbose', '--reporter=json', `--outputFile.json=${report}`];
    const config = ['run', '--config', 'test/windows/mmdevapi.vitest.mjs'];
    const { code, timedOut } = await wine.run(
      [wine.node, 'node_modules/vitest/vitest.mjs', ...config, ...reporters, ...files],
      { env: { ...env, ...given }, limitMs, onOutput: (text) => process.stdout.write(text) },
    );
    const json = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
    const { numPassedTests: passed = 0, numFailedTests: failed = 0 } = json;
    // A file that does not load, a worker that crashed, a run without a test.
    if (failed > 0 || (code === 0 && passed > 0)) return { passed, failed };
    log(`not ok - mmdevapi ${timedOut ? 'did not end in time' : `ended with ${code}`}`);
    return { passed, failed: 1 };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { node: { type: 'string' } } });
  const reason = whyNoWine() ?? whyNoCrossCompiler();
  if (reason) {
    console.log(`absent: Wine (${reason}): no test ran on the simulated Windows engine`);
  } else {
    buildForWindows();
  }
  const { passed, failed } = reason ? { passed: 0, failed: 0 } : await runMmdevapi(values);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
