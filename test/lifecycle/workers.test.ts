import { describe, expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

describe.each(backends)('workers on %s', (backend) => {
  const env = { PATCHCORD_BACKEND: backend };

  it('are terminated while they stream, 20 times, and the main thread streams on', async () => {
    const outcome = await runScene('workers.mjs', { args: ['20'], env, limitMs: 90_000 });
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ terminated: 20 });
  });

  it('leave by themselves, by process.exit() and by an exception', async () => {
    const outcome = await runScene('worker-leaves.mjs', { env });
    expect(outcome).toEqual({
      code: 0,
      signal: null,
      stdout: 'close 0 heard\nexit 3 heard\nthrow 1 heard,thrown on purpose\n',
      stderr: '',
      stuck: false,
    });
  });
});

it('workers end while their mixers are pumped and their captures stop, 20 times', async () => {
  const outcome = await runScene('pumped-workers.mjs', { args: ['20'], limitMs: 60_000 });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '20\n', stderr: '', stuck: false });
});

it('workers are terminated in the middle of native calls, 40 times', async () => {
  const outcome = await runScene('interrupted-workers.mjs', { args: ['40'], limitMs: 60_000 });
  expect(outcome).toEqual({ code: 0, signal: null, stdout: '40\n', stderr: '', stuck: false });
});
