import { describe, expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

describe.runIf(backends.includes('pulse'))('50 switches between two outputs under load', () => {
  it(
    'are heard, usually within 200 ms, and leave nothing behind',
    { timeout: 120_000 },
    async () => {
      const seed = Math.floor(Math.random() * 1e9);
      console.log(`node --expose-gc test/lifecycle/scenes/switching.mjs 50 ${seed}`);
      const outcome = await runScene('switching.mjs', {
        args: ['50', String(seed)],
        env: { PATCHCORD_BACKEND: 'pulse' },
        nodeArgs: ['--expose-gc'],
        limitMs: 100_000,
      });
      expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
      const { after, before, now } = JSON.parse(outcome.stdout);
      console.log(`heard after: ${after.join(' ')} ms`);
      expect(after).toHaveLength(50);
      // On a machine that does nothing else each is. PipeWire makes its links in its own time.
      const usual = after.sort((a: number, b: number) => a - b)[after.length >> 1];
      if (process.env.PATCHCORD_TEST_BACKEND !== 'pipewire') expect(usual).toBeLessThan(200);
      expect(now.files).toBeLessThanOrEqual(before.files);
      expect(now.threads).toBeLessThanOrEqual(before.threads);
      expect(now.heapMb - before.heapMb).toBeLessThan(2);
      expect(now.rssMb - before.rssMb).toBeLessThan(8);
    },
  );
});
