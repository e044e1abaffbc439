import { describe, expect, it, vi } from 'vitest';

import { encodeSamples, sampleFormats } from '../../lib/format/format.js';
import {
  findDelay,
  findGaps,
  measureTone,
  seededRandom,
  spectrum,
  toFloat,
} from '../instruments/index.js';

// Work, not waiting; yet a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const rate = 48000;

function tone(frequency: number, seconds: number, amplitude = 0.25, phase = 0.7): Float32Array {
  const omega = (2 * Math.PI * frequency) / rate;
  return Float32Array.from(
    { length: seconds * rate },
    (_, i) => amplitude * Math.cos(omega * i + phase),
  );
}

function noise(frames: number, amplitude: number, seed = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: frames }, () => amplitude * (2 * random() - 1));
}

function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + b[i]);
}

function joined(...parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}

const as16 = (samples: Float32Array): Float32Array =>
  toFloat(encodeSamples(samples, 's16'), { sampleRate: rate, channels: 1, sampleFormat: 's16' })[0];

describe('toFloat', () => {
  it.each(sampleFormats)('separates the channels of %s', (sampleFormat) => {
    const bytes = encodeSamples([-1, 0.25, 0, -0.5, 0.5, 0.75], sampleFormat);
    const format = { sampleRate: rate, channels: 2, sampleFormat };
    expect(toFloat(bytes, format)).toEqual([
      Float32Array.of(-1, 0, 0.5),
      Float32Array.of(0.25, -0.5, 0.75),
    ]);
    expect(() => toFloat(bytes.subarray(1), format)).toThrow(RangeError);
  });
});

describe('measureTone', () => {
  it.each([
    [1000, 1000, 1],
    [997.31, 1000, 1],
    [440.003, 440, 10],
    [15000, 15010, 0.1],
    [60, 60, 0.5],
    [1015, 1000, 2.3],
  ])('measures %d Hz, expected near %d, from %d s', (frequency, near, seconds) => {
    const measured = measureTone(tone(frequency, seconds), rate, near);
    expect(measured.frequency).toBeCloseTo(frequency, 3);
    expect(measured.peakDb).toBeCloseTo(20 * Math.log10(0.25), 4);
    expect(measured.rmsDb).toBeCloseTo(20 * Math.log10(0.25) - 3.0103, 3);
    expect(measured.snrDb).toBeGreaterThan(120);
  });

  it('measures the noise beside the tone, and not a constant', () => {
    const mixed = sum(tone(1000, 1), noise(rate, (0.25 * Math.sqrt(1.5)) / 100)); // 40 dB below
    const measured = measureTone(
      mixed.map((value) => value + 0.1),
      rate,
      1000,
    );
    expect(measured.snrDb).toBeCloseTo(40, 0);
    expect(measured.frequency).toBeCloseTo(1000, 2);
    expect(measureTone(as16(tone(1000.3, 1)), rate, 1000).snrDb).toBeGreaterThan(85);
  });

  it('does not find a tone where there is none', () => {
    expect(measureTone(new Float32Array(rate), rate, 1000)).toMatchObject({
      peakDb: -Infinity,
      snrDb: -Infinity,
      frequency: NaN,
    });
    expect(measureTone(noise(rate, 0.25), rate, 1000).snrDb).toBeLessThan(-20);
    expect(measureTone(tone(440, 1), rate, 1000).snrDb).toBeLessThan(-20);
  });

  it('detects one break of a tone', () => {
    const whole = tone(1000, 2);
    const broken = joined(whole.subarray(0, rate), whole.subarray(rate + 12));
    expect(measureTone(broken, rate, 1000).snrDb).toBeLessThan(20);
  });

  it('rejects too little audio', () => {
    expect(() => measureTone(new Float32Array(100), rate, 1000)).toThrow(/too few/);
  });
});

describe('findGaps', () => {
  const options = { sampleRate: rate, frequency: 997 };
  const whole = tone(997, 1);
  const drop = (at: number, frames: number) =>
    joined(whole.subarray(0, at), whole.subarray(at + frames));
  const double = (at: number, frames: number) =>
    joined(whole.subarray(0, at), whole.subarray(at - frames));

  it('finds nothing in a whole tone, a noisy one, one of 16 bits, one that is 1000 ppm off', () => {
    for (const good of [
      whole,
      sum(whole, noise(rate, 2e-4)),
      as16(whole),
      tone(998, 1),
      tone(997, 1, 0.9),
      tone(997, 1, 0.001),
    ]) {
      expect(findGaps(good, options)).toEqual([]);
    }
  });

  it('finds dropped frames, at every phase and of any number', () => {
    for (const frames of [1, 2, 5, 24, 47, 48, 49, 128, 441, 480, 960]) {
      for (let at = 5000; at < 5049; at += 4) {
        const [gap, ...more] = findGaps(drop(at, frames).subarray(0, 10000), options);
        expect(more).toEqual([]);
        expect(gap).toMatchObject({ kind: 'dropped', frames });
        // Where both tones happen to be equal the seam cannot be seen to the frame.
        expect(Math.abs(gap.frame - at)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('finds doubled frames', () => {
    for (const frames of [1, 10, 100, 480]) {
      const found = findGaps(as16(double(30000, frames)), options);
      expect(found).toEqual([
        { kind: 'inserted', frame: expect.closeTo(30000, -0.5) as number, frames },
      ]);
    }
  });

  it('finds silence, and tells whether it is as long as what it replaces', () => {
    const exact = whole.slice().fill(0, 10000, 10480);
    expect(findGaps(exact, options)).toEqual([
      { kind: 'silence', frame: 10000, frames: 480, shift: 0 },
    ]);
    const short = joined(whole.subarray(0, 10000), new Float32Array(470), whole.subarray(10480));
    expect(findGaps(short, options)).toEqual([
      { kind: 'silence', frame: 10000, frames: 470, shift: 10 },
    ]);
    const long = joined(whole.subarray(0, 10000), new Float32Array(483), whole.subarray(10480));
    expect(findGaps(long, options)).toMatchObject([{ frames: 483, shift: -3 }]);
  });

  it('counts the fall of the tone as silence, and ignores the rise behind it', () => {
    const faded = whole.slice();
    const gain = (left: number): number => (left / 144) ** 2 * (3 - left / 72);
    for (let i = 0; i < 480; i++) faded[10000 + i] *= gain(Math.max(0, 143 - i));
    for (let i = 0; i < 144; i++) faded[10480 + i] *= 1 - gain(143 - i);
    for (const samples of [faded, as16(faded)]) {
      const found = findGaps(samples, options);
      expect(found).toMatchObject([{ kind: 'silence', frame: 10000, shift: 0 }]);
      // The rise begins with a sample that rounds to zero.
      expect(found[0].frames).toBe(samples === faded ? 480 : 481);
    }
  });

  it('tells silence at the ends from silence within', () => {
    const late = joined(new Float32Array(700), whole, new Float32Array(300));
    expect(findGaps(late, options)).toEqual([
      { kind: 'silence', frame: 0, frames: 700 },
      { kind: 'silence', frame: 48700, frames: 300 },
    ]);
    expect(findGaps(late, { ...options, minFrames: 500 })).toMatchObject([
      { kind: 'silence', frames: 700 },
      { kind: 'glitch', frame: 48700 },
    ]);
  });

  it('finds a wrong sample and a step in level', () => {
    const click = whole.slice();
    click[12345] += 0.01;
    expect(findGaps(click, options)).toEqual([{ kind: 'glitch', frame: 12345, frames: 1 }]);
    const step = whole.map((value, i) => (i < 5000 ? value : value * 0.9));
    expect(findGaps(step, options)).toMatchObject([{ kind: 'glitch' }]);
  });

  it('finds several', () => {
    const parts = [
      whole.subarray(0, 9600),
      whole.subarray(9601, 20000),
      whole.subarray(19900, 30000),
    ];
    const found = findGaps(joined(...parts, new Float32Array(100), whole.subarray(30100)), options);
    expect(found.map(({ kind, frames }) => [kind, frames])).toEqual([
      ['dropped', 1],
      ['inserted', 100],
      ['silence', 100],
    ]);
  });

  it('rejects audio without the tone', () => {
    expect(() => findGaps(new Float32Array(rate), options)).toThrow(/no tone/);
  });
});

describe('spectrum', () => {
  it('shows each tone at its level, and nothing elsewhere', () => {
    const both = sum(tone(1000, 1, 0.25), tone(7000, 1, 0.001));
    const { at } = spectrum(both, rate);
    expect(at(1000)).toBeCloseTo(-12.04, 0);
    expect(at(7000)).toBeCloseTo(-60, 0);
    expect(at(4000, 1000)).toBeLessThan(-100);
    expect(() => spectrum(both.subarray(0, 100), rate)).toThrow(RangeError);
  });
});

describe('findDelay', () => {
  it.each([0, 1, 733, -512])('finds %i frames', (frames) => {
    const signal = noise(20000, 0.5);
    const shifted = frames >= 0 ? joined(new Float32Array(frames), signal) : signal.slice(-frames);
    const later = shifted.map((value) => value * 0.3);
    expect(findDelay(signal, later)).toEqual({
      frames,
      correlation: expect.closeTo(1, 6) as number,
    });
    const dirty = sum(later, noise(later.length, 0.15, 2));
    const found = findDelay(signal, dirty, 1000);
    expect(found.frames).toBe(frames);
    expect(found.correlation).toBeCloseTo(Math.SQRT1_2, 1);
  });

  it('reports that the two have nothing in common', () => {
    const { correlation } = findDelay(noise(20000, 0.5, 3), noise(20000, 0.5, 4), 5000);
    expect(correlation).toBeLessThan(0.05);
    expect(findDelay(new Float32Array(100), new Float32Array(100)).correlation).toBe(0);
  });
});
