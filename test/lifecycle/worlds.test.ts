import { describe, expect, it } from 'vitest';

import { runScene } from './run-scene.js';

// Four threads each: of 60 worlds 240 were left.
describe.runIf(process.platform === 'linux').each(['real', 'manual'])(
  'simulated worlds with a %s clock',
  (clock) => {
    it.each(['disposed', 'dropped'])('leave no thread behind when they are %s', async (how) => {
      const outcome = await runScene('worlds.mjs', {
        args: [clock, how, '60'],
        nodeArgs: ['--expose-gc'],
      });
      expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
      expect((JSON.parse(outcome.stdout) as { more: number }).more).toBeLessThanOrEqual(4);
    });
  },
);
