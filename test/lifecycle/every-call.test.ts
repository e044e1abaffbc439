import { expect, it } from 'vitest';

import { runScene } from './run-scene.js';

// More: node test/lifecycle/scenes/every-call.mjs SEED 100000
it('every public call, in each of seven states, answers or fails with a code', async () => {
  // Wine takes several times as long for each.
  const least = process.platform === 'win32' ? 2000 : 10_000;
  const outcome = await runScene('every-call.mjs', { args: ['1', `${least}`], limitMs: 100_000 });
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
  const { calls, values, names, errors } = JSON.parse(outcome.stdout);
  expect(calls).toBeGreaterThanOrEqual(least);
  expect(values).toBeGreaterThan(calls / 2);
  expect(names.length).toBeGreaterThan(200);
  // 10,000 random calls meet these errors; fewer may not.
  const met = ['ERR_INVALID_ARG_TYPE'];
  if (least === 10_000) met.push('ERR_OUT_OF_RANGE', 'ERR_STREAM_DESTROYED');
  expect(Object.keys(errors as object)).toEqual(expect.arrayContaining(met));
});
