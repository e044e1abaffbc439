// Random commands to random streams of the unmodified addon on the simulated Windows audio engine, which
// counts what is left of COM.

import { expect, it } from 'vitest';

import { runScene } from '../lifecycle/run-scene.js';

it(
  'random commands while devices come and go leave no COM object',
  { timeout: 400_000 },
  async () => {
    const count = process.env.PATCHCORD_SEQUENCES ?? '60';
    const outcome = await runScene('sequences.mjs', {
      args: ['1', count],
      env: { PATCHCORD_BACKEND: 'wasapi' },
      nodeArgs: ['--expose-gc'],
      limitMs: 390_000,
    });
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
    expect(JSON.parse(outcome.stdout).sequences).toBe(Number(count));
  },
);
