import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runScene } from './run-scene.js';

// Only Linux has LD_PRELOAD with glibc's names; elsewhere the clock is the platform's own code.
describe.runIf(process.platform === 'linux')('the wall clock is set while audio flows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-wall-clock-'));
  const library = join(folder, 'wall_clock.so');
  const offset = join(folder, 'offset');

  beforeAll(() => {
    const source = fileURLToPath(new URL('wall_clock.cc', import.meta.url));
    execFileSync('g++', ['-std=c++17', '-O1', '-shared', '-fPIC', source, '-o', library, '-ldl']);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([-3600, 3600])('by %d s: every stream continues', async (seconds) => {
    writeFileSync(offset, Buffer.alloc(8));
    const { stdout, ...outcome } = await runScene('wall-clock.mjs', {
      args: [String(seconds)],
      env: { LD_PRELOAD: library, PATCHCORD_WALL_CLOCK: offset },
    });
    expect(outcome).toEqual({ code: 0, signal: null, stderr: '', stuck: false });
    const { wallSteppedMs, tookMs, longestWaitMs } = JSON.parse(stdout);
    expect(wallSteppedMs).toBeCloseTo(seconds * 1000, -3);
    expect(tookMs).toBeLessThan(5000);
    for (const [name, waitMs] of Object.entries(longestWaitMs)) {
      expect(waitMs, `${name}: longest wait for a chunk, ms`).toBeLessThan(500);
    }
  });
});
