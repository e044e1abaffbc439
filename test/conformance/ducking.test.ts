// An input that is lowered while another one sounds. Written mixes and the simulated system with a manual clock:
// the assertions are exact.
import { describe, expect, it } from 'vitest';

import { fromFloat32, MicSource, Mixer, toFloat32, type MixerInputOptions } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

const rate = 48000;
const format = { sampleRate: rate, channels: 1, sampleFormat: 'f32' } as const;
const ms = rate / 1000;

/** The gain of music at 1 in each frame, while a voice sounds from `from` to `to`. */
async function gainsOf(
  duck: Omit<NonNullable<MixerInputOptions['duck']>, 'by'>,
  { from = 1000, to = 2000, length = 4000, voiceOptions = noOptions, gain = 0.5 } = {},
): Promise<Float32Array> {
  const mixer = new Mixer({ ...format, limiter: false });
  const voice = mixer.createInput({ ...voiceOptions, format, bufferMs: 10_000 });
  const music = mixer.createInput({ format, bufferMs: 10_000, duck: { by: voice, ...duck } });
  const speech = new Float32Array(length * ms).fill(gain, from * ms, to * ms);
  const chunks: Buffer[] = [];
  mixer.on('data', (chunk) => chunks.push(chunk));
  voice.end(fromFloat32(speech, format));
  music.end(fromFloat32(new Float32Array(length * ms).fill(1), format));
  await new Promise((resolve) => mixer.on('end', resolve));
  const mixed = toFloat32(Buffer.concat(chunks), format);
  const heard = voiceOptions.muted ? 0 : (voiceOptions.gain ?? 1);
  return mixed.map((sample, k) => sample - (speech[k] ?? 0) * heard);
}

const least = (values: Float32Array): number => values.reduce((a, b) => Math.min(a, b));
const noOptions: MixerInputOptions = {};
const db = (gain: number): number => 20 * Math.log10(gain);

describe('an input with duck', () => {
  it('falls within attackMs, stays low for 250 ms behind the other sound, and rises within releaseMs', async () => {
    const gains = await gainsOf({ gainDb: -12, attackMs: 100, releaseMs: 500 });
    expect(gains).toHaveLength(4000 * ms);
    const at = (time: number): number => db(gains[time * ms]);
    expect(at(999)).toBeCloseTo(0, 5);
    expect(at(1050)).toBeCloseTo(-6, 1);
    expect(at(1100)).toBeCloseTo(-12, 1);
    expect(at(2000)).toBeCloseTo(-12, 3);
    expect(at(2249)).toBeCloseTo(-12, 3);
    expect(at(2500)).toBeCloseTo(-6, 1);
    expect(at(2751)).toBeCloseTo(0, 1);
    expect(gains.at(-1)).toBe(1);
  });

  it('has defaults: 20 ms, 400 ms, -45 dBFS', async () => {
    const gains = await gainsOf({ gainDb: -20 });
    expect(db(gains[1010 * ms])).toBeCloseTo(-10, 0);
    expect(db(gains[1020 * ms])).toBeCloseTo(-20, 1);
    expect(db(gains[2450 * ms])).toBeCloseTo(-10, 0);
    expect(least(await gainsOf({ gainDb: -20 }, { gain: 10 ** (-46 / 20) }))).toBeCloseTo(1);
    const low = least(await gainsOf({ gainDb: -20 }, { gain: 10 ** (-44 / 20) }));
    expect(db(low)).toBeCloseTo(-20, 1);
  });

  it('measures the other input after its gain and mute', async () => {
    const duck = { gainDb: -20 };
    expect(least(await gainsOf(duck, { voiceOptions: { muted: true } }))).toBe(1);
    expect(least(await gainsOf(duck, { voiceOptions: { gain: 0.001 } }))).toBeCloseTo(1);
  });

  it('has no step in its level', async () => {
    const gains = await gainsOf({ gainDb: -96, attackMs: 20, releaseMs: 20 });
    const steps = gains.subarray(1).map((gain, k) => -Math.abs(gain - gains[k]));
    expect(-least(steps)).toBeLessThan(0.012);
  });

  it('is lowered in a live mix, which level() shows, and rises when the other input is gone', async () => {
    await using audio = new SimulatedAudio({ clock: 'manual' });
    audio.device('mic').play(tone(997, { gain: 0.5 }));
    const mixer = new Mixer({ limiter: false });
    mixer.resume();
    const voice = mixer.createInput({ muted: true });
    const music = mixer.createInput({ duck: { by: voice, gainDb: -12 } });
    const sources = [voice, music].map((input) => {
      const mic = new MicSource({ backend: audio });
      mic.pipe(input);
      return mic;
    });
    await Promise.all(sources.map((mic) => mic.ready));
    await audio.advance(1000);
    expect(music.level().peakDb).toBeCloseTo(-6, 1);
    voice.setMuted(false);
    await audio.advance(1000);
    expect(music.level().peakDb).toBeCloseTo(-18, 1);
    await voice.close();
    await audio.advance(1000);
    expect(music.level().peakDb).toBeCloseTo(-6, 1);
    for (const mic of sources) mic.destroy();
    mixer.destroy();
  });

  it.each<[string, object, string]>([
    ['of no input', { by: {}, gainDb: -6 }, 'ERR_INVALID_ARG_VALUE'],
    ['without by', { gainDb: -6 }, 'ERR_INVALID_ARG_VALUE'],
    [
      'by an input of another mixer',
      { by: new Mixer().createInput(), gainDb: -6 },
      'ERR_INVALID_ARG_VALUE',
    ],
    ['without gainDb', { by: 'voice' }, 'ERR_INVALID_ARG_TYPE'],
    ['that makes louder', { by: 'voice', gainDb: 1 }, 'ERR_OUT_OF_RANGE'],
    ['with gainDb NaN', { by: 'voice', gainDb: NaN }, 'ERR_OUT_OF_RANGE'],
    ['with attackMs -1', { by: 'voice', gainDb: -6, attackMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [
      'with releaseMs Infinity',
      { by: 'voice', gainDb: -6, releaseMs: Infinity },
      'ERR_OUT_OF_RANGE',
    ],
    ["with thresholdDb '0'", { by: 'voice', gainDb: -6, thresholdDb: '0' }, 'ERR_INVALID_ARG_TYPE'],
    ['with a misspelt option', { by: 'voice', gainDb: -6, relaseMs: 5 }, 'ERR_INVALID_ARG_VALUE'],
  ])('%s is refused', (_name, duck, code) => {
    const mixer = new Mixer();
    const voice = mixer.createInput();
    const given = { ...duck, ...('by' in duck && duck.by === 'voice' && { by: voice }) };
    expect(() => mixer.createInput({ duck: given as never })).toThrow(
      expect.objectContaining({ code }),
    );
    expect(mixer.inputs).toEqual([voice]);
    voice.destroy();
    expect(() => mixer.createInput({ duck: { by: voice, gainDb: -6 } })).toThrow(TypeError);
    mixer.destroy();
  });
});
