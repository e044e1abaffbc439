// The sound that is played into a microphone to measure its path to a cable. It repeats each second.
export const rate = 48000;
/** Whole turns in a second, and a period that is no whole number of frames. */
export const frequency = 997;
export const clicksPerSecond = 4;

// One millisecond, long enough to survive a resampler.
const clickFrames = 48;

/** Interleaved: a tone of -12 dBFS on the left, clicks on the right. */
export function secondOfSound() {
  const samples = new Float32Array(2 * rate);
  for (let i = 0; i < rate; i++) {
    samples[2 * i] = 0.25 * Math.sin((2 * Math.PI * frequency * i) / rate);
    const into = i % (rate / clicksPerSecond);
    if (into < clickFrames)
      samples[2 * i + 1] = 0.4 * (1 - Math.cos((2 * Math.PI * into) / clickFrames));
  }
  return samples;
}
