// A loop over chunks() ends as a loop over the stream itself does, and leaves nothing behind.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { MicSource, Mixer, toFloat32, type AudioChunk } from 'patchcord';

import { openSystem, type System } from './system.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const mic = (options = {}) => new MicSource({ backend: system.backend, ...options });

/** The error that a loop throws; undefined: it ended. `onChunk` is called for each turn. */
async function thrownBy(
  loop: AsyncIterable<unknown>,
  onChunk: (chunk: unknown) => void = () => {},
): Promise<unknown> {
  try {
    for await (const chunk of loop) onChunk(chunk);
    return undefined;
  } catch (error) {
    return error;
  }
}

const listeners = (stream: MicSource | Mixer) => [
  stream.listenerCount('error'),
  stream.listenerCount('close'),
];

it('a chunk has its samples as numbers, in every format', async () => {
  for (const sampleFormat of ['s16', 's24', 's32', 'f32'] as const) {
    const source = mic({ sampleFormat, channels: 2 });
    for await (const chunk of source.chunks()) {
      expect(chunk.samples).toBeInstanceOf(Float32Array);
      expect(chunk.samples).toHaveLength(2 * chunk.frames);
      expect(chunk.samples).toEqual(toFloat32(chunk.data, source.format));
      expect(chunk.samples).toBe(chunk.samples);
      break;
    }
    source.destroy();
  }
});

describe('a loop over chunks()', () => {
  it('throws that there is no such device', async () => {
    const source = mic({ device: 'no such microphone' });
    expect(await thrownBy(source.chunks())).toMatchObject({ code: 'ERR_AUDIO_DEVICE_NOT_FOUND' });
    expect(listeners(source)).toEqual([0, 0]);
  });

  it.each([
    ['destroy(error)', (source: MicSource) => source.destroy(new Error('enough')), /enough/],
    ['destroy()', (source: MicSource) => source.destroy(), /Premature close/],
  ])('throws what a loop over the stream throws: %s', async (_, act, message) => {
    const own = mic();
    const inChunks = mic();
    for (const [source, loop] of [
      [own, own],
      [inChunks, inChunks.chunks()],
    ] as [MicSource, AsyncIterable<unknown>][]) {
      let turns = 0;
      const thrown = await thrownBy(loop, () => {
        if (++turns === 3) act(source);
      });
      expect(thrown).toMatchObject({ message: expect.stringMatching(message) });
    }
    expect(listeners(inChunks)).toEqual([0, 0]);
  });

  it('throws AbortError, in each of several loops, and in one that begins later', async () => {
    const controller = new AbortController();
    const source = mic({ signal: controller.signal });
    const before = listeners(source);
    const loops = Array.from({ length: 20 }, () => thrownBy(source.chunks()));
    await source.ready;
    controller.abort();
    for (const thrown of await Promise.all(loops))
      expect(thrown).toMatchObject({ name: 'AbortError' });
    expect(await thrownBy(source.chunks())).toMatchObject({ name: 'AbortError' });
    expect(listeners(source)[0]).toBeLessThanOrEqual(before[0]);
  });

  it('ends where the stream was closed, also if it is idle, and after all chunks', async () => {
    const mixer = new Mixer();
    const idle = thrownBy(mixer.chunks());
    await mixer.close();
    expect(await idle).toBe(undefined);
    expect(listeners(mixer)).toEqual([0, 0]);

    const source = mic({ durationMs: 200 });
    let frames = 0;
    for await (const chunk of source.chunks()) frames += chunk.frames;
    expect(frames).toBe(9600);
    expect(await thrownBy(source.chunks())).toBe(undefined);
  });

  it('leaves no listener and keeps no audio after a break, or after return() before the first chunk', async () => {
    const source = mic();
    for (let i = 0; i < 50; i++) {
      const chunks = source.chunks();
      expect(await chunks.return?.()).toEqual({ done: true, value: undefined });
      expect(await chunks.next()).toEqual({ done: true, value: undefined });
    }
    for await (const chunk of source.chunks()) {
      expect(chunk.frames).toBe(480);
      break;
    }
    expect(listeners(source)).toEqual([0, 0]);
    await source.close();
  });

  it('causes no unhandled rejection if the stream is destroyed while no chunk is awaited', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const source = mic();
    const busy = source.chunks(); // as in a loop whose body is still at work
    await busy.next();
    void source.chunks().next();
    source.destroy();
    await new Promise((resolve) => source.once('close', () => setImmediate(resolve)));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    await expect(busy.next()).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    expect(await busy.next()).toEqual({ done: true, value: undefined });
  });

  it('answers several calls of next() in order, and return() ends those that wait', async () => {
    const source = mic();
    const chunks = source.chunks();
    const results = (await Promise.all([chunks.next(), chunks.next(), chunks.next()])) as {
      value: AudioChunk;
    }[];
    const [first, ...others] = results.map(({ value }) => value.frame);
    expect(others).toEqual([first + 480, first + 960]);
    const waiting = Array.from({ length: 100 }, () => chunks.next());
    await chunks.return?.();
    expect((await Promise.all(waiting)).at(-1)).toEqual({ done: true, value: undefined });
    await source.close();
  });
});
