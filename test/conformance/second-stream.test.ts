// A sink, an input and a transform take one stream at a time. pipe() refuses another one, whatever the two are; the
// first continues.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  Gain,
  LoopbackSource,
  MicSource,
  Mixer,
  SpeakerSink,
  ToneSource,
  WavEncoder,
  WavWriter,
  withFormat,
} from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const refused = expect.objectContaining({
  code: 'ERR_AUDIO_UNSUPPORTED',
  message: expect.stringMatching(/second stream.*Mixer\.createInput/) as string,
});

describe('a second stream', () => {
  let audio: SimulatedAudio;
  let folder: string;
  let files = 0;
  beforeAll(() => {
    audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(tone(440));
    folder = mkdtempSync(join(tmpdir(), 'patchcord-second-'));
  });
  afterAll(async () => {
    await audio[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const destinations = {
    SpeakerSink: () => new SpeakerSink({ backend: audio }),
    WavWriter: () => new WavWriter(join(folder, `${files++}.wav`)),
    WavEncoder: () => new WavEncoder().resume(),
    MixerInput: () => new Mixer().createInput(),
    Gain: () => new Gain().resume(),
  };
  const seconds = {
    'a live stream': () => new LoopbackSource({ backend: audio, device: 'cable-input' }),
    'a stream that is not live': () => new ToneSource(),
    'a stream of Node': () =>
      withFormat(new Readable({ read: () => {} }), {
        sampleRate: 48000,
        channels: 2,
        sampleFormat: 'f32',
      }),
  };
  const cases = Object.entries(destinations).flatMap(([to, destination]) =>
    Object.entries(seconds).map(([from, second]) => ({ from, to, destination, second })),
  );

  it.each(cases)('$from is rejected by a $to', async ({ destination, second }) => {
    const first = new MicSource({ backend: audio });
    const into = destination();
    first.pipe(into);
    await first.ready;
    await audio.advance(100);

    const other = second();
    expect(() => other.pipe(into)).toThrow(refused);
    for (const stream of [first, into, other]) expect(stream.destroyed).toBe(false);
    // pipeline() destroys what it was given, as always, but what flows into the destination is not its own.
    const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    for (const streams of [[second()], [second(), new Gain({ from: format })]]) {
      await expect(pipeline([...streams, into] as never)).rejects.toEqual(refused);
      await Promise.allSettled(streams.map((stream) => finished(stream)));
      expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
      for (const stream of [first, into]) expect(stream.destroyed).toBe(false);
    }
    const before = first.stats().link;
    await audio.advance(100);
    expect(first.stats().link).toEqual(before);
    expect(before).toMatchObject([{ to: into.constructor.name }]);

    // It can go elsewhere, and takes the place of the first when that is gone.
    const elsewhere = new Gain({ from: format });
    other.pipe(elsewhere);
    other.unpipe(elsewhere);
    first.unpipe(into);
    other.pipe(into);
    for (const stream of [first, into, other, elsewhere]) stream.destroy();
  });

  it('is rejected while a stream of Node.js flows, which continues', async () => {
    const format = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;
    const first = withFormat(new Readable({ read: () => {} }), format);
    const gain = new Gain();
    let bytes = 0;
    gain.on('data', (chunk) => (bytes += chunk.length));
    first.pipe(gain);
    first.push(Buffer.alloc(800));
    expect(() => new ToneSource().pipe(gain)).toThrow(refused);
    const tone = new ToneSource();
    await expect(pipeline(tone, gain)).rejects.toEqual(refused);
    expect([tone.destroyed, gain.destroyed]).toEqual([true, false]);
    first.push(Buffer.alloc(800));
    first.push(null);
    await new Promise((resolve) => gain.on('end', resolve));
    expect(bytes).toBe(1600);
  });
});
