import { describe, expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

describe.runIf(process.platform === 'linux').each(backends)(
  '1,000 opens and closes on %s',
  (backend) => {
    it('leave no memory, file or thread behind', { timeout: 420_000 }, async () => {
      const outcome = await runScene('reopen.mjs', {
        args: ['1000'],
        env: { PATCHCORD_BACKEND: backend },
        nodeArgs: ['--expose-gc'],
        limitMs: 400_000,
      });
      expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
      const { before, after } = JSON.parse(outcome.stdout);
      expect(after.files).toBeLessThanOrEqual(before.files);
      expect(after.threads).toBeLessThanOrEqual(before.threads);
      // 800 of them: a leak of one stream's 380 kB buffer each would be 300 MB, of 10 kB each 8 MB.
      expect(after.heapMb - before.heapMb).toBeLessThan(2);
      expect(after.rssMb - before.rssMb).toBeLessThan(8);
    });
  },
);
