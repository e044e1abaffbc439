import { checkInteger, checkNumber, invalidType, invalidValue } from '../validate.js';

/**
 * An entry for each output channel. An entry is either the index of an input channel (-1: silence), or an array with the
 * gain of each input channel. An input channel that does not exist is silent.
 */
export type ChannelMap = number[] | number[][];

/** The number of output channels that a map defines, if it defines one. */
export function mappedChannels(map: ChannelMap | 'attenuated' | undefined): number | undefined {
  return Array.isArray(map) ? map.length : undefined;
}

/** As `checkChannelMap()`, but also accepts `'attenuated'`. */
export function checkDownMix(value: unknown, name: string, channels: number): void {
  if (value !== 'attenuated') checkChannelMap(value, name, channels);
}

/**
 * @param channels the number of output channels.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
 */
export function checkChannelMap(value: unknown, name: string, channels: number): ChannelMap {
  const rows = checkRows(value, name);
  if (rows.length !== channels) {
    throw invalidValue(name, value, `must have an entry for each output channel: ${channels}`);
  }
  const matrix = Array.isArray(rows[0]);
  rows.forEach((row, out) => {
    const place = `${name}[${out}]`;
    if (!matrix) {
      checkInteger(row, place, -1, 31);
      return;
    }
    if (!Array.isArray(row)) throw invalidType(place, 'an instance of Array', row);
    if (row.length > 32) throw invalidValue(place, row, 'must have at most 32 gains');
    row.forEach((gain: unknown, k) => checkNumber(gain, `${place}[${k}]`, -16, 16));
  });
  return value as ChannelMap;
}

/** Checks for an array that is not empty. */
export function checkRows(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw invalidType(name, 'an instance of Array', value);
  if (value.length === 0) throw invalidValue(name, value, 'must not be empty');
  return value as unknown[];
}

// The speakers of the usual layouts of 1 to 8 channels, the same as in the engine's speakers.h.
const usualMasks = [0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

/** WAVE's `dwChannelMask` of the usual layout; 0 if there is no usual layout for that many channels. */
export function usualMask(channels: number): number {
  return usualMasks[channels] ?? 0;
}
