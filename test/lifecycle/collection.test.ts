import { expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

it.each(backends)('streams on %s that are over are collected', async (backend) => {
  const outcome = await runScene('collected.mjs', {
    env: { PATCHCORD_BACKEND: backend },
    nodeArgs: ['--expose-gc'],
  });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '[]\n', stderr: '', stuck: false });
});

it('streams without references, ended or not, are collected', async () => {
  const outcome = await runScene('dropped.mjs', { nodeArgs: ['--expose-gc'] });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '[]\n', stderr: '', stuck: false });
});

it('native streams without references stay until they are closed', async () => {
  const outcome = await runScene('dropped-closing.mjs', {
    args: ['50'],
    nodeArgs: ['--expose-gc'],
  });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '200\n', stderr: '', stuck: false });
});

// If the event loop was faster, the clock's thread released the reference to the JavaScript callback.
it('the thread of a simulated clock does not touch objects of JavaScript', async () => {
  const outcome = await runScene('advances.mjs', { args: ['30000'], limitMs: 60_000 });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '30000\n', stderr: '', stuck: false });
});
