// Random commands to random streams of the unmodified addon on the simulated Windows audio engine, which
// counts what is left of COM. PATCHCORD_SEQUENCES=10000 runs as many.
import { expect, it } from 'vitest';

import { runScene } from '../lifecycle/run-scene.js';

const count = Number(process.env.PATCHCORD_SEQUENCES ?? 60);
// One takes a tenth of a second.
const limitMs = 60_000 + count * 1000;

it(
  'random commands while devices come and go leave no COM object',
  { timeout: limitMs + 10_000 },
  async () => {
    const outcome = await runScene('sequences.mjs', {
      args: ['1', String(count)],
      env: { PATCHCORD_BACKEND: 'wasapi' },
      nodeArgs: ['--expose-gc'],
      limitMs,
    });
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
    expect(JSON.parse(outcome.stdout).sequences).toBe(count);
  },
);
