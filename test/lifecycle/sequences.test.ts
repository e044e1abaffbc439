import { describe, expect, it } from 'vitest';

import { runScene } from './run-scene.js';

// All 10,000: node --expose-gc test/lifecycle/scenes/sequences.mjs 1 10000
describe('random calls while devices come and go', () => {
  it('neither crash nor hang nor leave a stream open', { timeout: 120_000 }, async () => {
    const outcome = await runScene('sequences.mjs', {
      args: ['1', '300'],
      env: { PATCHCORD_BACKEND: 'simulated' },
      nodeArgs: ['--expose-gc'],
      limitMs: 110_000,
    });
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
    const { sequences, chunks } = JSON.parse(outcome.stdout);
    expect(sequences).toBe(300);
    expect(chunks).toBeGreaterThan(0);
  });
});
