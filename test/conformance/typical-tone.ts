import { measureTone } from '../instruments/index.js';

/**
 * The tone in most of the sound: the medians over quarters of a second. A break in one of them, which
 * a loaded machine may cause and the counters must show, does not hide what the rest is like.
 */
export function typicalTone(
  sound: Float32Array,
  sampleRate: number,
  nearHz: number,
): { frequency: number; peakDb: number } {
  const size = sampleRate / 4;
  const windows = [];
  for (let from = 0; from + size <= sound.length; from += size) {
    windows.push(measureTone(sound.subarray(from, from + size), sampleRate, nearHz));
  }
  const median = (values: number[]) =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  return {
    frequency: median(windows.map(({ frequency }) => frequency)),
    peakDb: median(windows.map(({ peakDb }) => peakDb)),
  };
}
