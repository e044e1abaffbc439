import { describe, expect, it } from 'vitest';

import { Gain, Mixer, SpeakerSink, WavEncoder, WavWriter } from 'patchcord';

import { AudioError } from '../../lib/errors.js';
import {
  checkAbortSignal,
  checkBigInt,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkOneOf,
  checkOptions,
  checkString,
  checkTime,
  unsupported,
} from '../../lib/validate.js';

function thrown(run: () => unknown): Error & { code?: string } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  return expect.fail('must throw');
}

describe('argument checks', () => {
  it.each<[string, () => unknown, typeof Error, string, string]>([
    [
      'a wrong type',
      () => checkNumber('loud', 'options.gain'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      `The "options.gain" property must be of type number. Received type string ('loud')`,
    ],
    [
      'an argument that is missing',
      () => checkString(undefined, 'path'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "path" argument must be of type string. Received undefined',
    ],
    [
      'an instance',
      () => checkBoolean(new Map(), 'options.live'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "options.live" property must be of type boolean. Received an instance of Map',
    ],
    [
      'an object without a prototype',
      () => checkBoolean(Object.create(null), 'options.live'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "options.live" property must be of type boolean. Received [Object: null prototype] {}',
    ],
    [
      'an array for an object',
      () => checkObject([], 'options'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "options" argument must be of type object. Received an instance of Array',
    ],
    [
      'a number for a bigint',
      () => checkBigInt(5, 'options.startTime'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "options.startTime" property must be of type bigint. Received type number (5)',
    ],
    [
      'an instant that no clock reaches',
      () => checkTime(2n ** 63n, 'options.startTime'),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.startTime" is out of range. It must be a time of process.hrtime.bigint(), not a time of day: >= -2n ** 59n && <= 2n ** 59n. Received 9223372036854775808n',
    ],
    [
      'no function',
      () => checkFunction(null, 'listener'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "listener" argument must be of type function. Received null',
    ],
    [
      'no signal',
      () => checkAbortSignal({}, 'options.signal'),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'The "options.signal" property must be an instance of AbortSignal. Received an instance of Object',
    ],
    [
      'a number out of range',
      () => checkNumber(1.5, 'options.pan', -1, 1),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.pan" is out of range. It must be >= -1 && <= 1. Received 1.5',
    ],
    [
      'a number below a bound',
      () => checkNumber(-1, 'options.gain', 0),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.gain" is out of range. It must be >= 0. Received -1',
    ],
    [
      'no number',
      () => checkNumber(NaN, 'options.gain'),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.gain" is out of range. It must be a finite number. Received NaN',
    ],
    [
      'a fraction',
      () => checkInteger(1.5, 'options.channels', 1, 32),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.channels" is out of range. It must be an integer. Received 1.5',
    ],
    [
      'an integer out of range',
      () => checkInteger(33, 'options.channels', 1, 32),
      RangeError,
      'ERR_OUT_OF_RANGE',
      'The value of "options.channels" is out of range. It must be >= 1 && <= 32. Received 33',
    ],
    [
      'a word that is not on the list',
      () => checkOneOf('alsa', 'options.api', ['wasapi', 'mme']),
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.api' must be one of: 'wasapi', 'mme'. Received 'alsa'`,
    ],
    [
      'an empty string',
      () => checkString('', 'options.device'),
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.device' must not be empty. Received ''`,
    ],
    [
      'a misspelt option',
      () => checkOptions({ chunkMS: 10 }, 'MicSource', ['chunkMs', 'gain'] as never[]),
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.chunkMS' is not an option of MicSource (did you mean 'chunkMs'?). Received 10`,
    ],
    [
      'an unknown option',
      () => checkOptions({ colour: 'red' }, 'Mixer', ['gain', 'chunkMs'] as never[]),
      TypeError,
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.colour' is not an option of Mixer (known are: chunkMs, gain). Received 'red'`,
    ],
  ])('refuse %s as Node does', (_, run, Class, code, message) => {
    const error = thrown(run);
    expect(error).toBeInstanceOf(Class);
    expect(error.name).toBe(Class.name);
    expect(error.code).toBe(code);
    expect(error.message).toBe(message);
    expect(error.stack).toContain(`${Class.name} [${code}]: `);
  });

  it('return valid values', () => {
    expect(checkNumber(-0.5, 'x', -1, 1)).toBe(-0.5);
    expect(checkInteger(32, 'x', 1, 32)).toBe(32);
    expect(checkOneOf('mme', 'x', ['wasapi', 'mme'])).toBe('mme');
    expect(checkString('a', 'x')).toBe('a');
    expect(checkBigInt(0n, 'x')).toBe(0n);
    expect(checkTime(-5n, 'x')).toBe(-5n);
    expect(checkBoolean(false, 'x')).toBe(false);
    const { signal } = new AbortController();
    expect(checkAbortSignal(signal, 'x')).toBe(signal);
    const options = { gain: 1, old: undefined };
    expect(checkOptions(options, 'Mixer', ['gain'])).toBe(options);
    expect(checkOptions(undefined, 'Mixer', [])).toEqual({});
  });

  it('do not print a long value in full', () => {
    const long = 'x'.repeat(5000);
    expect(thrown(() => checkNumber(long, 'x')).message.length).toBeLessThan(100);
    expect(thrown(() => checkOneOf(long, 'x', ['a'])).message.length).toBeLessThan(200);
  });
});

describe('unsupported', () => {
  it('names the option and the reason', () => {
    const error = unsupported('shareMode: exclusive', 'PulseAudio has none', 'Leave it out');
    expect(error).toBeInstanceOf(AudioError);
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED');
    expect(error.message).toBe(
      'shareMode: exclusive is not supported: PulseAudio has none. Leave it out',
    );
    expect(error.stack).not.toMatch(/validate\.ts/);
  });
});

it('an option that is there is checked, also where it is 0, empty or null', () => {
  for (const wrong of [0, NaN, '', false, null] as never[]) {
    for (const construct of [
      () => new WavWriter('never-opened.wav', { format: wrong }),
      () => new WavEncoder({ format: wrong }),
      () => new Gain({ from: wrong }),
      () => new Mixer().createInput({ format: wrong }),
      () => new SpeakerSink({ backend: 'simulated', format: wrong }),
      () => new SpeakerSink({ backend: 'simulated', deviceFormat: wrong }),
    ]) {
      expect(thrown(construct).code, String(construct)).toBe('ERR_INVALID_ARG_TYPE');
    }
  }
  const chunkMs = null as never;
  expect(thrown(() => new Mixer({ chunkMs })).code).toBe('ERR_INVALID_ARG_TYPE');
});
