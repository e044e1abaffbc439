// Where a WAV file says that its channels stand is kept, and channels are folded by it: ITU-R BS.775.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { afterAll, describe, expect, it } from 'vitest';

import {
  convert,
  fromFloat32,
  Gain,
  Mixer,
  Resampler,
  SpeakerSink,
  toFloat32,
  WavEncoder,
  WavReader,
  WavWriter,
  withFormat,
  type AudioFormat,
} from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

import { usualMask } from '../../lib/format/channel-map.js';

const folder = mkdtempSync(join(tmpdir(), 'patchcord-masks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const format = (channels: number, channelMask?: number): AudioFormat => ({
  sampleRate: 48000,
  channels,
  sampleFormat: 'f32',
  ...(channelMask !== undefined && { channelMask }),
});

/** Frames in which channel n of so many is at 0.1 x (n + 1). */
function steady(channels: number, frames = 4800): Buffer {
  const samples = Float32Array.from(
    { length: channels * frames },
    (_, k) => 0.1 * ((k % channels) + 1),
  );
  return fromFloat32(samples, { sampleFormat: 'f32' });
}

async function fileOf(channels: number, mask: number): Promise<Buffer> {
  const encoder = new WavEncoder({ format: format(channels, mask) });
  encoder.end(steady(channels));
  return Buffer.concat(await encoder.toArray());
}

const opened = (file: Buffer): WavReader => Readable.from([file]).pipe(new WavReader());
const bytesOf = async (stream: Readable): Promise<Buffer> =>
  Buffer.concat((await stream.toArray()) as Buffer[]);
/** The level of each channel in the middle of the audio. */
const levels = (bytes: Buffer, channels: number): number[] => {
  const samples = toFloat32(bytes, format(channels));
  const middle = Math.floor(samples.length / channels / 2) * channels;
  return [...samples.subarray(middle, middle + channels)].map((one) => Math.round(one * 1e4) / 1e4);
};

const third = Math.SQRT1_2;
const round = (value: number): number => Math.round(value * 1e4) / 1e4;
const cases: [string, number, number, number[]][] = [
  ['3.1', 4, 0xf, [0.1 + 0.3 * third, 0.2 + 0.3 * third]],
  ['2.1', 3, 0xb, [0.1, 0.2]],
  ['4.0', 4, 0x107, [0.1 + 0.3 * third + 0.2, 0.2 + 0.3 * third + 0.2]],
  ['5.1 with sides', 6, 0x60f, [0.1 + 0.3 * third + 0.5 * third, 0.2 + 0.3 * third + 0.6 * third]],
  ['6.1', 7, 0x13f, [0.1 + third * 0.8 + 0.35, 0.2 + third * 0.9 + 0.35]],
];

describe('a channel mask', () => {
  it.each(cases)('of %s is read, kept by transforms, and written', async (name, channels, mask) => {
    const file = await fileOf(channels, mask);
    const reader = opened(file);
    await reader.ready;
    expect(reader.format).toEqual(format(channels, mask));
    const gain = reader.pipe(new Gain());
    const path = join(folder, `${name}.wav`);
    await pipeline(gain, new Resampler({ sampleRate: 44100 }), WavWriter.toFile(path));
    const again = opened(readFileSync(path)).resume();
    await again.ready;
    expect(again.format).toEqual({ ...format(channels, mask), sampleRate: 44100 });
  });

  it('of the usual layout, or none, is not reported', async () => {
    for (const [channels, mask] of [
      [2, 0x3],
      [6, 0x3f],
      [4, 0x33],
      [4, 0],
    ]) {
      const reader = opened(await fileOf(channels, mask)).resume();
      await reader.ready;
      expect(reader.format).toEqual(format(channels));
    }
  });

  it('of the usual layout is the same one in the engine', () => {
    for (let channels = 1; channels <= 8; channels++) {
      const to = { channels: channels === 2 ? 1 : 2 };
      const [usual, masked] = [format(channels), format(channels, usualMask(channels))].map(
        (from) => convert(steady(channels, 480), { from, to }),
      );
      expect(masked.equals(usual), `${channels} channels`).toBe(true);
    }
  });

  it.each(cases)('folds %s: Resampler, convert(), Mixer', async (_name, channels, mask, stereo) => {
    const expected = stereo.map(round);
    const file = await fileOf(channels, mask);
    const folded = opened(file).pipe(new Resampler({ channels: 2 }));
    expect(levels(await bytesOf(folded), 2)).toEqual(expected);
    const converted = convert(steady(channels), {
      from: format(channels, mask),
      to: { channels: 2 },
    });
    expect(levels(converted, 2)).toEqual(expected);
    const mixer = new Mixer({ limiter: false });
    opened(file).pipe(mixer.createInput());
    expect(levels(await bytesOf(mixer), 2)).toEqual(expected);
  });

  it('folds what a sink plays', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('speakers').record();
    const sink = new SpeakerSink({ backend: audio, limiter: false });
    const bytes = steady(4, 48_000);
    withFormat(Readable.from([bytes]), format(4, 0xf)).pipe(sink);
    for (let k = 0; k < 10; k++) await audio.advance(50);
    const { data } = audio.device('speakers').recorded();
    expect([...data.slice(-2)].map(round)).toEqual(cases[0][3].map(round));
    sink.destroy();
  });

  it('folds what a live producer of another package plays', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('speakers').record();
    const sink = new SpeakerSink({ backend: audio, live: true, limiter: false });
    const producer = withFormat(new PassThrough(), format(4, 0xf));
    producer.pipe(sink);
    for (let k = 0; k < 50; k++) {
      producer.write(steady(4, 480));
      await audio.advance(10);
    }
    const { data } = audio.device('speakers').recorded();
    expect([...data.slice(-2)].map(round)).toEqual(cases[0][3].map(round));
    sink.destroy();
  });

  it('that changes is another format', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('speakers').record();
    const sink = new SpeakerSink({ backend: audio, format: format(4), limiter: false });
    sink.write(steady(4, 12_000));
    await sink.setFormat(format(4, 0xf));
    sink.write(steady(4, 24_000));
    for (let k = 0; k < 12; k++) await audio.advance(50);
    const { data } = audio.device('speakers').recorded();
    expect([...data.slice(-2)].map(round)).toEqual(cases[0][3].map(round));
    sink.destroy();
    const file = new WavEncoder().resume();
    const failed = once(file, 'error');
    const first = withFormat(Readable.from([steady(4)]), format(4, 0xf));
    first.pipe(file, { end: false });
    await once(first, 'end');
    first.unpipe(file);
    withFormat(Readable.from([steady(4)]), format(4, 0x107)).pipe(file);
    expect(await failed).toMatchObject([{ code: 'ERR_AUDIO_FORMAT_UNSUPPORTED' }]);
    // The mask of the usual layout says what no mask says.
    expect(() => withFormat(new Gain({ from: format(2) }), format(2, 0x3))).not.toThrow();
    expect(() => withFormat(new Gain({ from: format(3) }), format(3, 0xb))).toThrow(
      "contradicts the stream's own, 48000 Hz, 3 channels, f32",
    );
  });

  it('gives way to a channelMap', async () => {
    const file = await fileOf(4, 0xf);
    const mapped = opened(file).pipe(new Resampler({ channelMap: [3, 2] }));
    expect(levels(await bytesOf(mapped), 2)).toEqual([0.4, 0.3]);
    expect(mapped.format).toEqual(format(2));
    const mixer = new Mixer({ limiter: false });
    opened(file).pipe(mixer.createInput({ channelMap: [3, 2] }));
    expect(levels(await bytesOf(mixer), 2)).toEqual([0.4, 0.3]);
  });

  it('is checked', () => {
    expect(() => new Gain({ from: { ...format(4), channelMask: -1 } })).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => new Mixer({ channelMask: 3 } as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
