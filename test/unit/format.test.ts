import { PassThrough } from 'node:stream';

import { describe, expect, it, vi } from 'vitest';

import {
  bytesPerFrame,
  checkFormat,
  defaultFormat,
  describeFormat,
  encodeSamples,
  formatOf,
  resolveFormat,
  sampleFormats,
  withFormat,
  type AudioFormat,
} from '../../lib/format/format.js';
import { toFloat } from '../instruments/index.js';

const mono: AudioFormat = { sampleRate: 16000, channels: 1, sampleFormat: 's16' };
const withCode = (code: string): Error => expect.objectContaining({ code }) as Error;

describe('bytesPerFrame', () => {
  it('packs s24 in three bytes', () => {
    const sizes = sampleFormats.map((sampleFormat) => bytesPerFrame({ channels: 3, sampleFormat }));
    expect(sizes).toEqual([6, 9, 12, 12]);
  });
});

describe('resolveFormat', () => {
  it('uses the given fields, and the defaults for the rest', () => {
    expect(resolveFormat({})).toEqual(defaultFormat);
    const options = { channels: 1, sampleFormat: undefined, gain: 1 };
    expect(resolveFormat(options, mono)).toEqual(mono);
    expect(Object.isFrozen(resolveFormat({}))).toBe(true);
  });

  it.each([
    [{ sampleRate: 0 }, 'ERR_OUT_OF_RANGE', /options\.sampleRate.*>= 8000 && <= 384000/],
    [{ sampleRate: 1e9 }, 'ERR_OUT_OF_RANGE', /Received 1000000000/],
    [{ sampleRate: 44100.5 }, 'ERR_OUT_OF_RANGE', /an integer/],
    [{ sampleRate: '48000' }, 'ERR_INVALID_ARG_TYPE', /of type number/],
    [{ channels: 33 }, 'ERR_OUT_OF_RANGE', />= 1 && <= 32/],
    [{ channels: 0 }, 'ERR_OUT_OF_RANGE', /options\.channels/],
    [{ sampleFormat: 'f64' }, 'ERR_INVALID_ARG_VALUE', /'s16', 's24', 's32', 'f32'/],
    [{ sampleFormat: null }, 'ERR_INVALID_ARG_VALUE', /Received null/],
  ])('refuses %o', (wanted, code, message) => {
    expect(() => resolveFormat(wanted as object)).toThrow(withCode(code));
    expect(() => resolveFormat(wanted as object)).toThrow(message);
  });
});

describe('checkFormat', () => {
  it('requires all three fields and no others', () => {
    expect(checkFormat(mono, 'format')).toEqual(mono);
    for (const value of [undefined, null, 'f32', { sampleRate: 48000, channels: 2 }, {}]) {
      expect(() => checkFormat(value, 'format')).toThrow(TypeError);
    }
    expect(() => checkFormat({ ...mono, rate: 1 }, 'format')).toThrow(/format\.rate/);
  });
});

describe('describeFormat', () => {
  it('is readable', () => {
    expect(describeFormat(mono)).toBe('16000 Hz, 1 channel, s16');
    expect(describeFormat(defaultFormat)).toBe('48000 Hz, 2 channels, f32');
  });
});

describe('withFormat and formatOf', () => {
  it('declare and read the format of a foreign stream', () => {
    const stream = new PassThrough();
    expect(formatOf(stream)).toBeUndefined();
    expect(withFormat(stream, mono)).toBe(stream);
    expect(formatOf(stream)).toEqual(mono);
    expect(Object.keys(stream)).toEqual(Object.keys(new PassThrough()));
    withFormat(stream, defaultFormat);
    expect(formatOf(stream)).toEqual(defaultFormat);
  });

  it('agree across two copies of the module', async () => {
    vi.resetModules();
    const other = await import('../../lib/format/format.js');
    expect(other.withFormat).not.toBe(withFormat);
    expect(formatOf(other.withFormat(new PassThrough(), mono))).toEqual(mono);
  });

  it('use the format of the stream itself', () => {
    const own = Object.assign(new PassThrough(), { format: mono });
    expect(formatOf(own)).toEqual(mono);
    expect(formatOf(withFormat(own, { ...mono }))).toEqual(mono);
    expect(() => withFormat(own, defaultFormat)).toThrow(withCode('ERR_INVALID_ARG_VALUE'));
    expect(() => withFormat(own, defaultFormat)).toThrow(/stream's own, 16000 Hz/);
  });

  it('ignore a format property that is something else, or not known yet', () => {
    expect(formatOf(Object.assign(new PassThrough(), { format: 'mp3' }))).toBeUndefined();
    const later = Object.defineProperty(new PassThrough(), 'format', {
      get: () => {
        throw new Error('not yet');
      },
    });
    expect(formatOf(later)).toBeUndefined();
  });

  it('reject objects that are no streams or formats', () => {
    expect(() => withFormat(null as never, mono)).toThrow(withCode('ERR_INVALID_ARG_TYPE'));
    expect(() => withFormat(new PassThrough(), {} as never)).toThrow(/format\.sampleRate/);
  });
});

describe('encodeSamples', () => {
  it('has the bytes of each format', () => {
    const hex = sampleFormats.map((one) => encodeSamples([-1, 0.5, 2 ** -15], one).toString('hex'));
    expect(hex).toEqual([
      '008000400100',
      '000080000040000100',
      '000000800000004000000100',
      '000080bf0000003f00000038',
    ]);
  });

  it('clips, rounds to even, and turns NaN into 0', () => {
    const values = [1, 5, -5, Infinity, NaN, 0.5 / 32768, 1.5 / 32768, -0.5 / 32768, -1.5 / 32768];
    const bytes = encodeSamples(values, 's16');
    const encoded = values.map((_, i) => bytes.readInt16LE(2 * i));
    expect(encoded).toEqual([32767, 32767, -32768, 32767, 0, 0, 2, 0, -2]);
    expect(encodeSamples([1], 's32').readInt32LE()).toBe(2 ** 31 - 1);
    expect(encodeSamples([1], 's24').readIntLE(0, 3)).toBe(2 ** 23 - 1);
  });

  it('survives a round trip, bit for bit', () => {
    const samples = Float32Array.from({ length: 65536 }, (_, i) => (i - 32768) / 32768);
    for (const sampleFormat of sampleFormats) {
      const format = { sampleRate: 48000, channels: 1, sampleFormat };
      expect(toFloat(encodeSamples(samples, sampleFormat), format)[0]).toEqual(samples);
    }
  });
});
