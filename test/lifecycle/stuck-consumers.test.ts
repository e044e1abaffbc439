// close() closes, whatever the consumers do, and nothing of the stream keeps the process alive afterwards.
import { expect, it } from 'vitest';

import { runScene } from './run-scene.js';

const destinations = [
  ...['deaf', 'unread', 'bytes', 'throwing', 'subclass', 'throwingSubclass'],
  ...['pipeline', 'notEnded', 'ended', 'destroyed', 'unpiped', 'twice'],
];

it.each([
  ...['mic', 'loopback', 'process', 'endedMic', 'tone', 'mixer', 'writtenMixer'],
  ...['liveGain', 'lateGain', 'gain', 'reader'],
])('a %s closes while a destination takes nothing', async (stream) => {
  const outcome = await runScene('stuck-consumers.mjs', { args: [stream] });
  expect(outcome).toMatchObject({ code: 0, stderr: '', stuck: false });
  const closed = destinations.map((name) => `${name}: closed true`);
  expect(outcome.stdout.split('\n')).toEqual([...closed, 'timers 0', '']);
});
