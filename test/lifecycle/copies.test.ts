import { expect, it } from 'vitest';

import { runScene } from './run-scene.js';

it('the ESM and the CommonJS build link with each other in one process', async () => {
  const outcome = await runScene('two-copies.mjs', { env: { PATCHCORD_BACKEND: 'simulated' } });
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '', stuck: false });
  const across = {
    links: [
      ['MixerInput', true],
      ['VirtualMicSink', true],
    ],
    latency: 'number',
    feedback: ['ERR_AUDIO_FEEDBACK', 'ERR_AUDIO_FEEDBACK'],
    instanceOf: true,
  };
  expect(JSON.parse(outcome.stdout)).toEqual({
    same: false,
    'esm to cjs': across,
    'cjs to esm': across,
  });
});
