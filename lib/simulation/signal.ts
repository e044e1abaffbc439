import { types as nodeTypes } from 'node:util';

import { checkBoolean, checkInteger, checkNumber, checkOptions, invalidType } from '../validate.js';

/** The sound at a simulated microphone or of a simulated program. Frames are exact. */
export type Signal =
  | { type: 'silence' }
  | { type: 'tone'; frequency: number; gain: number; phase: number; channel: number }
  | { type: 'noise'; seed: number; gain: number }
  | { type: 'pcm'; samples: Float32Array; channels: number; loop: boolean }
  | { type: 'sum'; parts: Signal[] };

const types: readonly unknown[] = ['silence', 'tone', 'noise', 'pcm', 'sum'];

/**
 * A sine on the frame counter of the device.
 *
 * @param options `gain`: the peak, linear (0.25). `phase`: in radians at frame 0 of the device (0). `channel`: the only
 *   channel with the tone (all channels).
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
 * White noise. The same seed gives the same noise.
 *
 * @param options `seed`: an integer (1). `gain`: the peak, linear (0.25).
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function noise(options?: { seed?: number; gain?: number }): Signal {
  const { seed = 1, gain = 0.25 } = checkOptions(options, 'noise()', ['seed', 'gain']);
  checkInteger(seed, 'options.seed', 0);
  checkNumber(gain, 'options.gain', -16, 16);
  return { type: 'noise', seed, gain };
}

/**
 * Given samples, interleaved, at the rate of the device.
 *
 * @param options `channels`: the number of channels (1). `loop`: whether the samples repeat (false).
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function pcm(
  samples: Float32Array,
  options?: { channels?: number; loop?: boolean },
): Signal {
  if (!nodeTypes.isFloat32Array(samples)) {
    throw invalidType('samples', 'an instance of Float32Array', samples);
  }
  const { channels = 1, loop = false } = checkOptions(options, 'pcm()', ['channels', 'loop']);
  checkInteger(channels, 'options.channels', 1, 32);
  checkBoolean(loop, 'options.loop');
  return { type: 'pcm', samples, channels, loop };
}

/**
 * The sum of several signals.
 *
 * @throws `ERR_INVALID_ARG_TYPE`.
 */
export function sum(...parts: Signal[]): Signal {
  parts.forEach((part, k) => checkSignal(part, `parts[${k}]`));
  return { type: 'sum', parts };
}

/** Checks for a signal that one of the functions above has returned. */
export function checkSignal(value: unknown, name: string): Signal {
  if (!types.includes((value as Partial<Signal> | null | undefined)?.type)) {
    throw invalidType(name, 'a signal of tone(), noise(), pcm() or sum()', value);
  }
  return value as Signal;
}
