// Gain, pan and mute of a mixer's input. On the simulated system with a manual clock: the assertions are exact.
import { beforeEach, describe, expect, it } from 'vitest';

import { MicSource, Mixer, type MixerInput } from 'patchcord';
import { SimulatedAudio, tone } from 'patchcord/testing';

let audio: SimulatedAudio;
let mixer: Mixer;
let input: MixerInput;
beforeEach(async () => {
  audio = new SimulatedAudio({ clock: 'manual' });
  audio.device('mic').play(tone(997, { gain: 0.5 }));
  mixer = new Mixer({ limiter: false });
  input = mixer.createInput({ pan: 0.25 });
  new MicSource({ backend: audio }).pipe(input);
  mixer.resume();
  await audio.advance(1000);
});

describe('the controls of a mixer input', () => {
  it('have separate ramps: a pan or a mute does not end a fade', async () => {
    const before = input.level().peakDb;
    expect(before).toBeCloseTo(-6.02, 1);
    input.setGain(0, { rampMs: 2000 });
    input.setPan(0, { rampMs: 20 });
    input.setMuted(false);
    // The level is that of the last 100 ms: what the fade was 100 ms ago.
    await audio.advance(1100);
    expect(input.level().peakDb).toBeLessThan(before - 4);
    expect(input.level().peakDb).toBeGreaterThan(before - 9);
    await audio.advance(1200);
    expect(input.level().peakDb).toBe(-Infinity);
  });

  it('mute within the requested ramp', async () => {
    input.setMuted(true, { rampMs: 1000 });
    await audio.advance(400);
    expect(input.level().peakDb).toBeGreaterThan(-10);
    await audio.advance(900);
    expect(input.level().peakDb).toBe(-Infinity);
    input.setMuted(false, { rampMs: 0 });
    await audio.advance(200);
    expect(input.level().peakDb).toBeCloseTo(-6.02, 1);
  });

  it('return the values that were set', () => {
    expect([input.gain, input.pan, input.muted]).toEqual([1, 0.25, false]);
    input.setGain(0.5, { rampMs: 500 });
    input.setPan(-1, { rampMs: 500 });
    input.setMuted(true, { rampMs: 500 });
    expect([input.gain, input.pan, input.muted]).toEqual([0.5, -1, true]);
  });

  it('reject invalid values and do not change', () => {
    expect(() => input.setGain(17)).toThrow(RangeError);
    expect(() => input.setPan(-2, { rampMs: 5 })).toThrow(RangeError);
    expect(() => input.setPan(1, { rampMs: -5 })).toThrow(RangeError);
    expect(() => input.setMuted(true, { rampMs: 60_001 })).toThrow(RangeError);
    expect(() => input.setMuted(1 as never)).toThrow(TypeError);
    expect([input.gain, input.pan, input.muted]).toEqual([1, 0.25, false]);
  });

  it('fade the input out within the requested ramp when it is closed', async () => {
    const closed = input.close({ rampMs: 500 });
    await audio.advance(250);
    expect(input.destroyed).toBe(false);
    await audio.advance(100);
    expect(input.level().peakDb).toBeLessThan(-10);
    expect(input.level().peakDb).toBeGreaterThan(-60);
    await audio.advance(200);
    await closed;
    expect(mixer.inputs).toEqual([]);
    await expect(input.close({ rampMs: 5 })).resolves.toBeUndefined();
    expect(() => input.close({ rampMs: -1 })).toThrow(RangeError);
    expect(() => input.close({ ramp: 1 } as never)).toThrow(TypeError);
  });
});
