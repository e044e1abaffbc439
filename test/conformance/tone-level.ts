// How loud one tone is among others.

/**
 * The level of one frequency in dBFS, the median of windows of 100 ms: a player on a real server may
 * break its tone. Whole cycles under a Blackman window.
 */
export function levelOf(sound: Float32Array, frequency: number): number {
  const length = 4800;
  const levels: number[] = [];
  for (let at = 0; at + length <= sound.length; at += length) {
    let re = 0;
    let im = 0;
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const turn = (2 * Math.PI * i) / length;
      const window = 0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
      const angle = (2 * Math.PI * frequency * i) / 48000;
      re += window * sound[at + i] * Math.cos(angle);
      im += window * sound[at + i] * Math.sin(angle);
      sum += window;
    }
    levels.push(20 * Math.log10((2 * Math.hypot(re, im)) / sum));
  }
  return levels.sort((a, b) => a - b)[levels.length >> 1];
}
