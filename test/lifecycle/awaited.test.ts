import { expect, it } from 'vitest';

import { backends, runScene } from './run-scene.js';

it.each([
  ['ready', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['sinkReady', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['writerReady', 'ENOENT'],
  ['signal', 'ABORT_ERR'],
  ['open', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['sinkOpen', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['close', 'ENOENT'],
  ['readerClose', 'ENOENT'],
  ['destroyed', 'ERR_OF_THE_APP'],
  ['destroyedLater', 'ERR_OF_THE_APP'],
  ['partial', 'ERR_AUDIO_PARTIAL_FRAME'],
  ['pipe', 'ENOENT'],
  ['nodePipe', 'ENOENT'],
  ['readerPipe', 'ERR_AUDIO_FORMAT_UNSUPPORTED'],
  ['transformPipe', 'ENOENT'],
  ['linkedSink', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['copiedSink', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['played', 'MINE'],
  ['onceBehindPipe', 'ENOENT'],
  ['all', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['listener', 'ENOENT'],
])('an error that an awaited promise brings ends no process: %s', async (what, code) => {
  const outcome = await runScene('awaited.mjs', { args: [what] });
  expect(outcome).toMatchObject({ code: 0, stdout: `caught ${code}\n`, stderr: '' });
});

it('a stream that is closed while it opens is closed, or fails first, and ends no process', async () => {
  const { stdout, ...outcome } = await runScene('awaited.mjs', { args: ['micClose'] });
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(['', 'caught ERR_AUDIO_DEVICE_NOT_FOUND\n']).toContain(stdout);
});

it.each([
  ['nobody', 'ERR_AUDIO_DEVICE_NOT_FOUND'],
  ['nobodyBehindPipe', 'ENOENT'],
  ['nobodyBehindNodePipe', 'ENOENT'],
])('an error that nobody waits for or listens to ends the process: %s', async (what, code) => {
  const outcome = await runScene('awaited.mjs', { args: [what] });
  expect(outcome).toMatchObject({ code: 1, stdout: '' });
  expect(outcome.stderr).toContain(code);
});

it.each(
  backends.flatMap((backend) =>
    ['paused', 'readable', 'iterator', 'chunks', 'duration', 'mix'].map((what) => [backend, what]),
  ),
)('on %s a process ends when the device is released: %s', async (backend, what) => {
  const outcome = await runScene('released.mjs', {
    args: [what],
    env: { PATCHCORD_BACKEND: backend },
    limitMs: 8000,
  });
  expect(outcome).toMatchObject({ code: 0, stdout: 'ready\nclosed\n', stderr: '', stuck: false });
});
