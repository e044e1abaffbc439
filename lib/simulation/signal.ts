import { checkBoolean, checkInteger, checkNumber, checkOptions, invalidType } from '../validate.js';

/** What a simulated microphone hears or a simulated program plays. Frames are exact. */
export type Signal =
  | { type: 'silence' }
  | { type: 'tone'; frequency: number; gain: number; phase: number; channel: number }
  | { type: 'noise'; seed: number; gain: number }
  | { type: 'pcm'; samples: Float32Array; channels: number; loop: boolean }
  | { type: 'sum'; parts: Signal[] };

const types: readonly unknown[] = ['silence', 'tone', 'noise', 'pcm', 'sum'];

/**
 * A sine of `gain` (linear, 1: full scale) by the device's own frame counter.
 *
 * @param options `gain` 0.25; `phase` in radians at the device's frame 0, 0; `channel`, all.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function tone(
  frequency: number,
  options?: { gain?: number; phase?: number; channel?: number },
): Signal {
  checkNumber(frequency, 'frequency', 0, 192_000);
  const given = checkOptions(options, 'tone()', ['gain', 'phase', 'channel']);
  const { gain = 0.25, phase = 0, channel = -1 } = given;
  checkNumber(gain, 'options.gain', -16, 16);
  checkNumber(phase, 'options.phase');
  checkInteger(channel, 'options.channel', -1, 31);
  return { type: 'tone', frequency, gain, phase, channel };
}

/**
 * White noise, the same for the same seed.
 *
 * @param options `seed` 1; `gain` (linear, the peak) 0.25.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function noise(options?: { seed?: number; gain?: number }): Signal {
  const { seed = 1, gain = 0.25 } = checkOptions(options, 'noise()', ['seed', 'gain']);
  checkInteger(seed, 'options.seed', 0);
  checkNumber(gain, 'options.gain', -16, 16);
  return { type: 'noise', seed, gain };
}

/**
 * Interleaved samples at the device's rate.
 *
 * @param options `channels` 1; `loop`: whether they begin again at their end, false.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function pcm(
  samples: Float32Array,
  options?: { channels?: number; loop?: boolean },
): Signal {
  if (!(samples instanceof Float32Array)) {
    throw invalidType('samples', 'an instance of Float32Array', samples);
  }
  const { channels = 1, loop = false } = checkOptions(options, 'pcm()', ['channels', 'loop']);
  checkInteger(channels, 'options.channels', 1, 32);
  checkBoolean(loop, 'options.loop');
  return { type: 'pcm', samples, channels, loop };
}

/**
 * All of the signals at once.
 *
 * @throws `ERR_INVALID_ARG_TYPE`.
 */
export function sum(...parts: Signal[]): Signal {
  parts.forEach((part, k) => checkSignal(part, `parts[${k}]`));
  return { type: 'sum', parts };
}

/** Whether it is what one of the functions above returned, or looks like it. */
export function checkSignal(value: unknown, name: string): Signal {
  if (!types.includes((value as Partial<Signal> | null | undefined)?.type)) {
    throw invalidType(name, 'a signal of tone(), noise(), pcm() or sum()', value);
  }
  return value as Signal;
}
