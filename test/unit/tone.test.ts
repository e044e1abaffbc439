import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { bytesPerFrame, sampleFormats, type AudioFormat } from '../../lib/format/format.js';
import { ToneSource, type ToneSourceOptions } from '../../lib/sources/tone-source.js';
import { findGaps, measureTone, toFloat } from '../instruments/index.js';

async function record(options: ToneSourceOptions): Promise<{ chunks: Buffer[]; tone: ToneSource }> {
  const tone = new ToneSource(options);
  return { chunks: (await tone.toArray()) as Buffer[], tone };
}

const framesOf = (chunks: Buffer[], format: AudioFormat): number[] =>
  chunks.map((chunk) => chunk.length / bytesPerFrame(format));

describe('ToneSource', () => {
  it.each(sampleFormats)(
    'is a clean, unbroken sine in %s, in all channels',
    async (sampleFormat) => {
      const options = { frequency: 997, gain: 0.25, durationMs: 1000, sampleFormat, channels: 3 };
      const { chunks, tone } = await record(options);
      const channels = toFloat(Buffer.concat(chunks), tone.format);
      expect(channels).toHaveLength(3);
      for (const channel of channels) {
        const measured = measureTone(channel, 48000, 997);
        expect(measured.frequency).toBeCloseTo(997, 4);
        expect(measured.peakDb).toBeCloseTo(-12.041, 3);
        expect(measured.snrDb).toBeGreaterThan(sampleFormat === 's16' ? 85 : 130);
        expect(findGaps(channel, { sampleRate: 48000, frequency: 997 })).toEqual([]);
      }
      expect(channels[0][0]).toBe(0);
    },
  );

  it.each([
    [1000, 44100, 44100],
    [0.5, 48000, 24],
    [33.34, 44100, 1470],
    [0, 48000, 0],
  ])('lasts %d ms at %i Hz: %i frames', async (durationMs, sampleRate, frames) => {
    const { chunks, tone } = await record({ durationMs, sampleRate });
    expect(framesOf(chunks, tone.format).reduce((a, b) => a + b, 0)).toBe(frames);
    expect(tone.position).toBe(frames);
    expect(tone.stats()).toEqual({ framesRead: frames });
  });

  it('spreads fractions of a frame over the chunks, each with its own memory', async () => {
    const { chunks, tone } = await record({ durationMs: 50, sampleRate: 11025, chunkMs: 10 });
    expect(framesOf(chunks, tone.format)).toEqual([110, 110, 110, 111, 110]);
    for (const chunk of chunks) expect(chunk.buffer.byteLength).toBe(chunk.length);
    const exact = await record({ durationMs: 50, chunkFrames: 1024 });
    expect(framesOf(exact.chunks, exact.tone.format)).toEqual([1024, 1024, 352]);
  });

  it('generates as fast as it is read', async () => {
    const tone = new ToneSource();
    await once(tone, 'readable');
    for (let i = 0; i < 100; i++) await turn();
    expect(tone.readableLength).toBeLessThanOrEqual(4);
    expect(tone.position).toBe(0);
    tone.read();
    expect(tone.position).toBe(480);
    await tone.close();
  });

  it('continues until it is closed, then ends in order', async () => {
    const tone = new ToneSource();
    let frames = 0;
    let ended = false;
    tone.on('end', () => (ended = true));
    tone.on('data', (chunk: Buffer) => {
      frames += chunk.length / 8;
      if (frames === 4800) void tone.close();
    });
    await once(tone, 'close');
    expect(ended).toBe(true);
    expect(frames).toBe(tone.position);
    await tone.close();
  });

  it('closes without a reader, also by await using', async () => {
    {
      await using tone = new ToneSource();
      expect(await tone.ready).toBe(tone);
    }
    const finished = new ToneSource({ durationMs: 10 });
    finished.resume();
    await once(finished, 'end');
    await finished.close();
    const unread = new ToneSource({ durationMs: 10 });
    await once(unread.pause(), 'readable').catch(() => {});
    unread.resume();
    await unread.close();
  });

  it('is destroyed by its signal', async () => {
    const tone = new ToneSource({ signal: AbortSignal.abort() });
    const [error] = (await once(tone, 'error')) as [Error];
    expect(error.name).toBe('AbortError');
  });

  it.each<[object, string]>([
    [{ frequency: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ frequency: 24000 }, 'ERR_OUT_OF_RANGE'],
    [{ frequency: 5000, sampleRate: 8000 }, 'ERR_OUT_OF_RANGE'],
    [{ gain: 1.1 }, 'ERR_OUT_OF_RANGE'],
    [{ gain: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ durationMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ durationMs: Infinity }, 'ERR_OUT_OF_RANGE'],
    [{ live: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ live: true }, 'ERR_AUDIO_UNSUPPORTED'],
    [{ frequenzy: 440 }, 'ERR_INVALID_ARG_VALUE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %o', (options, code) => {
    expect(() => new ToneSource(options)).toThrow(expect.objectContaining({ code }));
  });

  it('has no times', () => {
    const tone = new ToneSource();
    const unsupported = expect.objectContaining({ code: 'ERR_AUDIO_UNSUPPORTED' }) as Error;
    expect(() => tone.timeAt(0)).toThrow(unsupported);
    expect(() => tone.frameAt(0n)).toThrow(unsupported);
    expect(tone.live).toBe(false);
    expect(tone.ref().unref()).toBe(tone);
  });
});
