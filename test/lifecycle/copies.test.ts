import { expect, it } from 'vitest';

import { runScene } from './run-scene.js';

it('import and require give one copy of the package; a bundled copy links with it', async () => {
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
    importIsRequire: true,
    bundled: false,
    'esm to cjs': across,
    'cjs to esm': across,
  });
});
