// A mix of what is written, without anything live: as fast as it is read, and the same to the bit
// however the bytes come.
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import { Mixer, type AudioFormat, type MixerInputOptions, type MixerOptions } from 'patchcord';

import { encodeSamples } from '../../lib/format/format.js';
import { randomPortions, seededRandom, toFloat } from '../instruments/index.js';

interface Track extends MixerInputOptions {
  format: AudioFormat;
  bytes: Buffer;
}

const samples = (count: number, seed: number, gain = 0.9): Float32Array => {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => gain * (2 * random() - 1));
};

const track = (format: AudioFormat, frames: number, options: MixerInputOptions = {}): Track => ({
  ...options,
  format,
  bytes: encodeSamples(samples(frames * format.channels, frames), format.sampleFormat),
});

/** The whole mix. `cut` says how a track's bytes are handed over. */
async function mixed(
  tracks: readonly Track[],
  options: MixerOptions,
  cut: (bytes: Buffer) => Buffer[],
  pause: () => boolean = () => false,
): Promise<Buffer> {
  const mixer = new Mixer(options);
  const chunks: Buffer[] = [];
  mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = once(mixer, 'end');
  // All are there before the first one is written to: they begin together.
  const inputs = tracks.map(({ bytes, ...given }) => ({ bytes, input: mixer.createInput(given) }));
  await Promise.all(
    inputs.map(async ({ bytes, input }) => {
      for (const portion of cut(bytes)) {
        if (!input.write(portion)) await once(input, 'drain');
        if (pause()) await new Promise((resolve) => setImmediate(resolve));
      }
      input.end();
    }),
  );
  await end;
  return Buffer.concat(chunks);
}

const whole = (bytes: Buffer): Buffer[] => [bytes];
const stereo = { sampleRate: 48000, channels: 2, sampleFormat: 'f32' } as const;

describe('a mix of written bytes', () => {
  it.each<[string, MixerOptions]>([
    ['limited f32', {}],
    ['unlimited f32', { limiter: false }],
    ['limited s16, 44100 Hz, mono', { sampleRate: 44100, channels: 1, sampleFormat: 's16' }],
  ])('has the same bytes however three inputs are cut: %s', { timeout: 120_000 }, async (_, to) => {
    const mono = to.channels === 1;
    const tracks = [
      track(stereo, 30_000, { gain: 0.7, pan: -0.4 }),
      track({ sampleRate: 44100, channels: 1, sampleFormat: 's16' }, 21_001, {
        gain: 1.3,
        channelMap: mono ? [0] : [-1, 0],
        startFrame: 4321,
      }),
      track({ sampleRate: 96000, channels: 6, sampleFormat: 's24' }, 25_003, {
        gain: 0.5,
        channelMap: mono
          ? [[0.2, 0.2, 0.5, 0, 0.1, 0.1]]
          : [
              [1, 0, 0.5, 0, -0.5],
              [0, 1, 0.5, 0, 0, 0.5],
            ],
      }),
    ];
    const rate = to.sampleRate ?? 48000;
    const lengths = tracks.map(({ format, bytes, startFrame = 0 }) => {
      const frames =
        bytes.length / encodeSamples(new Float32Array(format.channels), format.sampleFormat).length;
      return startFrame + Math.round((frames * rate) / format.sampleRate);
    });
    const expected = await mixed(tracks, to, whole);
    expect(expected.length).toBe(Math.max(...lengths) * (mono ? 2 : 8));
    for (let seed = 1; seed <= 6; seed++) {
      const random = seededRandom(seed);
      const portions = (bytes: Buffer): Buffer[] => randomPortions(bytes, random);
      const bytes = await mixed(tracks, to, portions, () => random() < 0.1);
      expect(bytes.equals(expected), `seed ${seed}`).toBe(true);
    }
  });

  it('is the exact sum of its inputs with their gains and maps', async () => {
    const left = track({ ...stereo, channels: 1 }, 5000, { gain: 0.5, channelMap: [0, -1] });
    const both = track(stereo, 3000, { gain: 0.25, channelMap: [[0, 1], [2]], startFrame: 700 });
    const sound = toFloat(await mixed([left, both], { limiter: false }, whole), stereo);
    const a = toFloat(left.bytes, left.format)[0];
    const [l, r] = toFloat(both.bytes, stereo);
    const during = (i: number): boolean => i >= 700 && i < 3700;
    const expected = [
      a.map((sample, i) => 0.5 * sample + (during(i) ? Math.fround(0.25 * r[i - 700]) : 0)),
      a.map((_, i) => (during(i) ? 0.25 * 2 * l[i - 700] : 0)),
    ];
    expect(sound).toEqual(expected);
  });

  it('puts a late input at its startFrame, and rejects a startFrame that has passed', async () => {
    const mixer = new Mixer({ limiter: false, endWhenInputsEnd: false });
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    const first = mixer.createInput({ format: stereo });
    first.end(encodeSamples(new Float32Array(9600).fill(0.25), 'f32'));
    await once(first, 'close');
    expect(mixer.stats().frames).toBe(4800);
    expect(() => mixer.createInput({ startFrame: 4799 })).toThrow(/4800/);
    const second = mixer.createInput({ format: stereo, startFrame: 7000 });
    second.end(encodeSamples(new Float32Array(200).fill(0.5), 'f32'));
    await once(second, 'close');
    const end = once(mixer, 'end');
    await mixer.close();
    await end;
    const [sound] = toFloat(Buffer.concat(chunks), stereo);
    expect(sound.length).toBe(7100);
    expect(sound.findIndex((sample) => sample === 0)).toBe(4800);
    expect(sound.findIndex((sample) => sample === 0.5)).toBe(7000);
  });

  it('continues when an input is closed in the middle of a ramp', async () => {
    const mixer = new Mixer({ limiter: false });
    const chunks: Buffer[] = [];
    mixer.on('data', (chunk: Buffer) => chunks.push(chunk));
    const end = once(mixer, 'end');
    const [stays, goes] = [
      mixer.createInput({ format: stereo }),
      mixer.createInput({ format: stereo }),
    ];
    const quarter = encodeSamples(new Float32Array(2 * 24_000).fill(0.25), 'f32');
    stays.write(quarter);
    goes.write(quarter.subarray(0, 8 * 4800));
    // Mixed as far as both go; the ramp is longer than what follows.
    while (mixer.stats().frames < 4800) await new Promise((resolve) => setImmediate(resolve));
    goes.setGain(0, { rampMs: 1000 });
    goes.write(quarter.subarray(0, 8 * 4800));
    while (mixer.stats().frames < 9600) await new Promise((resolve) => setImmediate(resolve));
    await goes.close();
    stays.end();
    await end;
    const [sound] = toFloat(Buffer.concat(chunks), stereo);
    expect(sound.length).toBe(24_000);
    expect(sound[4799]).toBe(0.5);
    expect(sound[9599]).toBeGreaterThan(0.49);
    expect(sound[9599]).toBeLessThan(0.5);
    expect(sound[23_999]).toBe(0.25);
  });
});
