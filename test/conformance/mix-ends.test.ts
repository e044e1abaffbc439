// Where a mix begins and ends: with its inputs, to the frame, however late JavaScript takes notice.
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';

import { describe, expect, it } from 'vitest';

import { MicSource, Mixer, type AudioChunk, type MixerOptions } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

import { toFloat } from '../instruments/index.js';

const manual = (): SimulatedAudio => {
  const audio = new SimulatedAudio({ clock: 'manual', startTime: 1_000_000_000_000n });
  audio.device('mic').play(tone(700));
  return audio;
};

const micOf = (audio: SimulatedAudio, durationMs: number): MicSource =>
  new MicSource({
    backend: audio,
    device: 'mic',
    startTime: audio.startTime,
    durationMs,
    channels: 1,
  });

const collect = (stream: MicSource | Mixer): Promise<Float32Array> => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return once(stream, 'end').then(() => toFloat(Buffer.concat(chunks), stream.format)[0]);
};

describe.each<[string, MixerOptions]>([
  ['with a limiter', {}],
  ['without one', { limiter: false }],
])('a mix %s', (_, options) => {
  it.each([10, 50, 250, 1000])('is as long as its track in turns of %i ms', async (step) => {
    await using audio = manual();
    const mic = micOf(audio, 3000);
    const mixer = new Mixer({ channels: 1, ...options });
    mic.pipe(mixer.createInput());
    const track = collect(mic);
    const mix = collect(mixer);
    for (let ms = 0; ms < 5000; ms += step) await audio.advance(step);
    const [one, other] = [await track, await mix];
    expect(one.length).toBe(144_000);
    expect(other.length).toBe(one.length);
    expect(mixer.firstFrame).toBe(0);
    expect(mixer.timeAt(0)).toBe(mic.timeAt(0));
    expect(mixer.timeAt(144_000)).toBe(mic.timeAt(144_000));
    expect(mixer.stats()).toMatchObject({ lostFrames: 0, skippedFrames: 0 });
    const worst = one.reduce((most, sample, k) => Math.max(most, Math.abs(sample - other[k])), 0);
    // The two tones are the same one in the same place; the first moments fade in.
    expect(Math.abs(one[100_000])).toBeGreaterThan(0.001);
    expect(worst).toBeLessThan(0.5);
    const late = one.slice(4800).reduce((most, sample, k) => {
      return Math.max(most, Math.abs(sample - other[k + 4800]));
    }, 0);
    expect(late).toBeLessThan(1e-3);
  });
});

describe('the end of a mix', () => {
  it('is that of the input which ends last', async () => {
    await using audio = manual();
    const mics = [micOf(audio, 400), micOf(audio, 1234.5), micOf(audio, 900)];
    const mixer = new Mixer();
    const done = mics.map((mic) => pipeline(mic, mixer.createInput()));
    const mix = collect(mixer);
    await audio.advance(5000);
    await Promise.all(done);
    expect((await mix).length).toBe(59_256);
  });

  it('is that of a mix in it', async () => {
    await using audio = manual();
    const inner = new Mixer();
    const outer = new Mixer();
    micOf(audio, 1000).pipe(inner.createInput());
    inner.pipe(outer.createInput());
    const mix = collect(outer);
    for (let turn = 0; turn < 10; turn++) await audio.advance(400);
    expect((await mix).length).toBeCloseTo(48_000, -1);
    expect(outer.stats().lostFrames).toBe(0);
  });

  it('is not where an input waits for another stream', async () => {
    await using audio = manual();
    const mixer = new Mixer();
    const input = mixer.createInput();
    mixer.resume();
    const mic = micOf(audio, 500);
    const closed = once(mic, 'close');
    mic.pipe(input, { end: false });
    await audio.advance(2000);
    await closed;
    await audio.advance(1000);
    expect(mixer.stats().frames).toBeGreaterThan(48 * 2900);
    const other = new MicSource({ backend: audio, device: 'mic', durationMs: 500 });
    other.pipe(input);
    await audio.advance(2000);
    expect(mixer.readableEnded).toBe(true);
    const end = mixer.timeAt(mixer.stats().frames) - other.timeAt(24_000);
    expect(Math.abs(Number(end))).toBeLessThanOrEqual(21_000);
    expect(mixer.stats()).toMatchObject({ lostFrames: 0, skippedFrames: 0 });
  });

  it('is not where all of its inputs were taken out', async () => {
    await using audio = manual();
    const mixer = new Mixer();
    mixer.resume();
    const input = mixer.createInput();
    micOf(audio, 5000).pipe(input);
    await audio.advance(500);
    await input.close();
    await audio.advance(2000);
    expect(mixer.stats().frames).toBeGreaterThan(48 * 2400);
    expect(mixer.readableEnded).toBe(false);
    await mixer.close();
  });

  it('is that of its inputs while JavaScript is blocked', async () => {
    await using audio = new SimulatedAudio();
    const mic = new MicSource({ backend: audio, durationMs: 500, clock: 'host' });
    const mixer = new Mixer();
    mic.pipe(mixer.createInput());
    const track = collect(mic);
    const mix = collect(mixer);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const until = Date.now() + 1500; Date.now() < until;);
    expect((await mix).length).toBe((await track).length);
  });
});

describe('the first frame of a mix', () => {
  it('reaches every reader that is attached in the same turn', async () => {
    await using audio = manual();
    await audio.advance(500);
    const mic = new MicSource({ backend: audio, device: 'mic' });
    const mixer = new Mixer();
    mic.pipe(mixer.createInput());
    for (const until = Date.now() + 100; Date.now() < until;); // the mixer's thread has its chance
    const reader = mixer.chunks();
    const first = reader.next() as Promise<IteratorYieldResult<AudioChunk>>;
    await audio.advance(500);
    const { frame, time } = (await first).value;
    expect(frame).toBe(0);
    expect(time).toBe(mic.timeAt(0));
    await mixer.close();
  });

  it('was heard when a stream was piped in that has begun before', async () => {
    await using audio = manual();
    const mic = await MicSource.open({ backend: audio, device: 'mic' });
    await audio.advance(700);
    const piped = audio.now();
    const mixer = new Mixer();
    mic.pipe(mixer.createInput());
    const first = mixer.chunks().next() as Promise<IteratorYieldResult<AudioChunk>>;
    await audio.advance(500);
    expect((await first).value).toMatchObject({ frame: 0, time: piped });
    await mixer.close();
  });
});
