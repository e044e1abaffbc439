import { expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

it.each(backends)('streams on %s that are over are collected', async (backend) => {
  const outcome = await runScene('collected.mjs', {
    env: { PATCHCORD_BACKEND: backend },
    nodeArgs: ['--expose-gc'],
  });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '[]\n', stderr: '', stuck: false });
});

it('native streams outlast their own closing, though nobody holds them', async () => {
  const outcome = await runScene('dropped-closing.mjs', {
    args: ['50'],
    nodeArgs: ['--expose-gc'],
  });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '200\n', stderr: '', stuck: false });
});
