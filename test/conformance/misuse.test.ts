// Mistakes that apps make: each gives an error that says so, none a crash or a hang.
import { once } from 'node:events';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  Gain,
  Limiter,
  LoopbackSource,
  MicSource,
  Mixer,
  Resampler,
  SpeakerSink,
  ToneSource,
  type AudioError,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

import { openSystem, type System } from './system.js';
import { event, until } from './wait.js';

let system: System;
beforeAll(async () => {
  system = await openSystem();
});
afterAll(() => system.close());

const speaker = (options = {}) => new SpeakerSink({ backend: system.backend, ...options });

describe('construction', () => {
  it.each([
    [{ sampleRate: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ sampleRate: 1e9 }, 'ERR_OUT_OF_RANGE'],
    [{ sampleRate: '48000' }, 'ERR_INVALID_ARG_TYPE'],
    [{ channels: 33 }, 'ERR_OUT_OF_RANGE'],
    [{ sampleFormat: 'u8' }, 'ERR_INVALID_ARG_VALUE'],
    [{ chunkMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ chunkMs: 10, chunkFrames: 480 }, 'ERR_INVALID_ARG_VALUE'],
    [{ durationMs: NaN }, 'ERR_OUT_OF_RANGE'],
    [{ startTime: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ device: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ device: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ signal: 'stop' }, 'ERR_INVALID_ARG_TYPE'],
    [{ sampelRate: 48000 }, 'ERR_INVALID_ARG_VALUE'],
    [{ backend: 'jack' }, 'ERR_INVALID_ARG_VALUE'],
    [{ backend: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ lowLatency: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ shareMode: 'mine' }, 'ERR_INVALID_ARG_VALUE'],
    [{ recover: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ recover: { giveUpAfterMs: 0 } }, 'ERR_OUT_OF_RANGE'],
    [{ recover: { giveUp: 5 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ clock: 'wall' }, 'ERR_INVALID_ARG_VALUE'],
    [{ raw: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ category: 'calls' }, 'ERR_INVALID_ARG_VALUE'],
  ])('MicSource(%j) throws %s', (options, code) => {
    const given = { backend: system.backend, ...options } as never;
    expect(() => new MicSource(given)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [() => new MicSource({ device: null as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new MicSource({ device: [] as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new MicSource({ channelMap: [] }), 'ERR_INVALID_ARG_VALUE'],
    [() => new Mixer({ latencyMs: -1 }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ gain: Infinity }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ pan: 2 }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ startFrame: -1 }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ startFrame: 0.5 }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ latencyMs: 501 }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ signal: 1 as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new Mixer().createInput({ format: { channels: 1 } as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new Mixer().createInput({ channelMap: 'LR' as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new Mixer().createInput({ channelMap: [0] }), 'ERR_INVALID_ARG_VALUE'],
    [() => new Mixer().createInput({ channelMap: [0, 1.5] }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ channelMap: [0, -2] }), 'ERR_OUT_OF_RANGE'],
    [() => new Mixer().createInput({ channelMap: [[1], 1] as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new Mixer().createInput({ channelMap: [[1], [NaN]] }), 'ERR_OUT_OF_RANGE'],
    [() => new Resampler({ dither: 'yes' as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => new Resampler({ quality: 'superb' as never }), 'ERR_INVALID_ARG_VALUE'],
    [() => new Gain({ gain: -1 }), 'ERR_OUT_OF_RANGE'],
    [() => new Limiter({ ceilingDb: 1 }), 'ERR_OUT_OF_RANGE'],
  ])('%s throws %s', (make, code) => {
    expect(make).toThrow(expect.objectContaining({ code }));
  });
});

describe('a device of the other direction', () => {
  it('is named in the error', async () => {
    const backend = new SimulatedAudio();
    const wrong = { code: 'ERR_AUDIO_DEVICE_NOT_FOUND' };
    await expect(MicSource.open({ backend, device: 'Speakers (Simulated)' })).rejects.toMatchObject(
      {
        ...wrong,
        message: expect.stringMatching(
          /'Speakers \(Simulated\)' is an output, .*LoopbackSource.*'Microphone \(Simulated\)'/,
        ) as string,
      },
    );
    await expect(SpeakerSink.open({ backend, device: 'mic' })).rejects.toMatchObject({
      ...wrong,
      message: expect.stringMatching(/'Microphone \(Simulated\)' is an input, /) as string,
    });
  });
});

describe('bytes', () => {
  const format = { sampleRate: 48000, channels: 2, sampleFormat: 's16' } as const;

  it('of unknown format are rejected', async () => {
    const sink = speaker();
    const failed = event<AudioError>(sink, 'error');
    sink.write(Buffer.alloc(64));
    expect((await failed).code).toBe('ERR_AUDIO_FORMAT_UNKNOWN');
    const input = new Mixer().createInput();
    const refused = event<AudioError>(input, 'error');
    input.write(Buffer.alloc(64));
    expect((await refused).code).toBe('ERR_AUDIO_FORMAT_UNKNOWN');
  });

  it('may arrive in halves of a frame, but not end with one', async () => {
    const sink = speaker({ format });
    sink.write(Buffer.alloc(4802));
    sink.write(Buffer.alloc(4798));
    await sink.ready;
    await until(() => sink.stats().writtenFrames === 2400, 'whole frames');
    const failed = event<AudioError>(sink, 'error');
    sink.end(Buffer.alloc(3));
    expect((await failed).code).toBe('ERR_AUDIO_PARTIAL_FRAME');
  });

  it('after the end are an error of Node', async () => {
    const sink = speaker({ format });
    await sink.ready;
    sink.end(Buffer.alloc(4800));
    const failed = event<NodeJS.ErrnoException>(sink, 'error');
    sink.write(Buffer.alloc(4));
    expect((await failed).code).toBe('ERR_STREAM_WRITE_AFTER_END');
  });
});

describe('promises', () => {
  it('of a stream that was closed early reject with a code', async () => {
    const early = { code: 'ERR_STREAM_PREMATURE_CLOSE' };
    const source = new MicSource({ backend: system.backend });
    const sink = speaker();
    const gain = new Gain();
    const streams = [source, sink, gain];
    for (const stream of streams) stream.destroy();
    for (const { ready } of streams) await expect(ready).rejects.toMatchObject(early);
  });

  it('of a setDevice() reject with a code if another call follows', async () => {
    const source = await MicSource.open({ backend: system.backend });
    const overtaken = source.setDevice('default').catch((error: unknown) => error);
    await source.setDevice('default');
    expect(await overtaken).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    await source.close();
  });
});

describe('a mixer', () => {
  it('that has ended accepts no more inputs', async () => {
    const over = expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' });
    const mixer = new Mixer();
    mixer.createInput();
    await mixer.close();
    expect(() => mixer.createInput()).toThrow(over);
    const destroyed = new Mixer();
    destroyed.destroy();
    expect(() => destroyed.createInput()).toThrow(over);
    expect(destroyed.inputs).toEqual([]);
  });
});

describe('setEncoding()', () => {
  it('gives strings always', async () => {
    for (const stream of [
      new MicSource({ backend: system.backend, durationMs: 300 }),
      new ToneSource({ frequency: 440, durationMs: 300 }),
    ]) {
      stream.setEncoding('base64');
      const chunks: unknown[] = [];
      stream.on('data', (chunk: unknown) => chunks.push(chunk));
      await event(stream, 'end');
      expect(chunks.length).toBeGreaterThan(5);
      expect(chunks.filter((chunk) => typeof chunk !== 'string')).toEqual([]);
    }
  });
});

describe('ends', () => {
  it('destroy while opening, twice, and close after it', async () => {
    for (const make of [
      () => new MicSource({ backend: system.backend }),
      () => new LoopbackSource({ backend: system.backend }),
      () => speaker(),
    ]) {
      const stream = make();
      stream.destroy();
      stream.destroy();
      await stream.close();
      expect(stream.destroyed).toBe(true);
      await expect(stream.ready).rejects.toThrow();
    }
  });

  it('close while opening ends in good order', async () => {
    const mic = new MicSource({ backend: system.backend });
    await mic.close();
    expect(mic.errored).toBe(null);
    const sink = speaker();
    await sink.close();
    expect(sink.errored).toBe(null);
  });

  it('a signal destroys with AbortError, also one that was aborted before', async () => {
    const controller = new AbortController();
    const mic = new MicSource({ backend: system.backend, signal: controller.signal });
    mic.resume();
    await mic.ready;
    const failed = event<Error>(mic, 'error');
    controller.abort();
    expect((await failed).name).toBe('AbortError');
    for (const make of [
      () => new MicSource({ backend: system.backend, signal: AbortSignal.abort() }),
      () => speaker({ signal: AbortSignal.abort() }),
      () => new Mixer({ signal: AbortSignal.abort() }),
    ]) {
      const stream = make();
      const [error] = (await once(stream, 'error').catch((reason: Error) => [reason])) as [Error];
      expect(error.name).toBe('AbortError');
    }
  });

  it('await using closes without an error; leaving for await destroys', async () => {
    const mic = new MicSource({ backend: system.backend });
    mic.resume();
    await mic.ready;
    await mic[Symbol.asyncDispose]();
    expect(mic.errored).toBe(null);
    expect(mic.closed).toBe(true);
    const other = new MicSource({ backend: system.backend });
    for await (const chunk of other) {
      expect(chunk.length).toBe(3840);
      break;
    }
    expect(other.destroyed).toBe(true);
  });

  it('what was captured stays readable after close, up to end', async () => {
    const mic = new MicSource({ backend: system.backend });
    const chunks: Buffer[] = [];
    mic.once('data', () => mic.pause());
    await until(() => mic.stats().frames > 9600, 'frames');
    await mic.close();
    const { frames } = mic.stats();
    mic.on('data', (chunk: Buffer) => chunks.push(chunk));
    const end = event(mic, 'end');
    mic.resume();
    await end;
    expect(Buffer.concat(chunks).length / 8 + 480).toBe(frames);
  });

  it('enabled = false delivers silence', async () => {
    const stop = await system.play('microphone', 1000);
    const mic = new MicSource({ backend: system.backend, device: system.microphone });
    mic.enabled = false;
    for await (const { data, frame } of mic.chunks()) {
      expect(data.every((byte) => byte === 0)).toBe(true);
      if (frame > 24000) break;
    }
    await mic.close();
    await stop();
  });
});
