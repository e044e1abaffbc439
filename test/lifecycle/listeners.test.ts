// An exception of an app's listener arrives as an uncaught exception of the app, and the stream continues.
import { expect, it } from 'vitest';

import { runScene } from './run-scene.js';

it.each([
  ['data', 100],
  ['transform', 100],
  ['written', 100],
  ['cut', 100],
  ['encoded', 100],
  ['file', 100],
  ['beside', 50],
  ['mixed', 100],
  ['tone', 100],
  ['error', 1],
  ['drain', 1],
  ['writeCallback', 1],
  ['endCallback', 1],
  ['discontinuity', 1],
  ['overrun', 1],
  ['level', 10],
  ['meter', 1], // reports that wait are one
  ['ready', 1],
  ['sinkReady', 2],
  ['end', 1],
  ['close', 1],
  ['fileClose', 1],
  ['fileFinish', 1],
  ['inputClose', 1],
  ['warning', 1],
])('a listener or callback that throws stops nothing: %s', async (what, calls) => {
  const outcome = await runScene('throwing-listeners.mjs', { args: [what] });
  expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
  const [told, count] = outcome.stdout.split('\n');
  expect(told).toBe('all told');
  expect(parseInt(count)).toBeGreaterThanOrEqual(calls);
});

const classes = [
  ...['mic', 'read', 'loop', 'loopback', 'missing', 'missingSink', 'tone', 'mixer', 'input'],
  ...['linkedInput', 'gain', 'liveGain', 'canceller', 'speaker', 'endedSpeaker', 'linkedSpeaker'],
  ...['virtualMic', 'writer', 'endedWriter', 'linkedWriter', 'noFolder', 'reader'],
];

it.each(['error', 'finish', 'end', 'close'])(
  'every stream closes, and the process ends, although a listener of %s throws',
  async (event) => {
    const outcome = await runScene('throws-at-the-end.mjs', { args: [event] });
    expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
    expect(outcome.stdout.split('\n')).toEqual([...classes.map((name) => `${name}: closed`), '']);
  },
);

it.each([
  ['source', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['sink', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['ready', ''], // the app handles the rejection of `ready`
  ['later', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['destroyed', 'ON_PURPOSE'],
])('a process ends that ignores a failed stream: %s', async (how, code) => {
  const outcome = await runScene('unheard-failure.mjs', { args: [how], limitMs: 8000 });
  expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
  // close() waits 200 ms for a device that is being opened. On a slow machine the stream has closed before it failed.
  const accepted = how === 'source' || how === 'sink' ? [code, ''] : [code];
  expect(accepted).toContain(outcome.stdout.trim());
});
