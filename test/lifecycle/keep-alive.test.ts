import { describe, expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

describe.each(backends)('on %s a process', (backend) => {
  const env = { PATCHCORD_BACKEND: backend };
  const streams = ['mic', 'loopback', 'speaker', 'virtualMic'];

  it.each([...streams, 'mic.ref', 'virtualMic.ref'])(
    'stays while a stream is open: %s',
    async (what) => {
      // It would leave by itself within milliseconds of `ready`.
      const outcome = await runScene('alive.mjs', { args: [what], env, staysMs: 1000 });
      expect(outcome).toMatchObject({ stdout: 'ready\n', stuck: true });
    },
  );

  it.each([
    ...streams.flatMap((name) => [`${name}.close`, `${name}.destroy`]),
    'monitor',
    'mixer',
    'listing',
  ])('leaves when nothing is open: %s', async (what) => {
    const outcome = await runScene('alive.mjs', { args: [what], env });
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'ready\n', stderr: '', stuck: false });
  });

  it.each(streams)('exits with a stream that was unref()ed: %s', async (name) => {
    const outcome = await runScene('alive.mjs', { args: [`${name}.unref`], env });
    // An await that nothing alive can settle ends a process with 13.
    expect([0, 13]).toContain(outcome.code);
    expect(outcome.stuck).toBe(false);
  });

  it('stays alive until the audio of a closed source has been mixed', async () => {
    const outcome = await runScene('alive.mjs', { args: ['tail'], env });
    expect(outcome).toMatchObject({ code: 0, stuck: false });
    expect(outcome.stdout).toContain('the mix has ended\n');
  });
});

it('a process stays alive until the last chunk of a mix of live sources has been read, 10 times', async () => {
  for (let i = 0; i < 10; i++) {
    const outcome = await runScene('alive.mjs', {
      args: ['chunks'],
      env: { PATCHCORD_BACKEND: 'simulated' },
    });
    expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
    expect(outcome.stdout).toContain(' frames mixed, 0 not read\n');
  }
});

it('a process stays alive until all bytes written into a mixer have been mixed', async () => {
  const outcome = await runScene('alive.mjs', { args: ['written'] });
  expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
  expect(outcome.stdout).toContain('96000 frames mixed\n');
});
