import { describe, expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

const states = [
  'imported',
  'opening',
  'ready',
  'flowing',
  'linked',
  'written',
  'paused',
  'closing',
  'closed',
  'destroying',
  'destroyed',
  'listing',
  'monitoring',
  'failed',
];

// A crash on the way out would be SIGSEGV or SIGABRT in place of the code, or a message of the
// C library on standard error.
describe.each(backends)('a process on %s that ends', (backend) => {
  const env = { PATCHCORD_BACKEND: backend };

  it.each([...states, 'inHandler'])('by process.exit(): %s', async (state) => {
    const outcome = await runScene('states.mjs', { args: [state, 'exit'], env });
    expect(outcome).toEqual({ code: 7, signal: null, stdout: '', stderr: '', stuck: false });
  });

  it.each(['flowing', 'linked', 'inHandler', 'closing'])('by an exception: %s', async (state) => {
    const outcome = await runScene('states.mjs', { args: [state, 'throw'], env });
    expect(outcome.stderr).toContain('Error: thrown on purpose');
    expect(outcome).toMatchObject({ code: 1, signal: null, stuck: false });
  });

  it.each(states)('by SIGTERM: %s', async (state) => {
    const outcome = await runScene('states.mjs', { args: [state, 'wait'], env, signal: 'SIGTERM' });
    expect(outcome).toEqual({
      code: null,
      signal: 'SIGTERM',
      stdout: 'ready\n',
      stderr: '',
      stuck: false,
    });
  });
});
