/** In place, length a power of two, not scaled. */
export function fft(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  if (size < 2 || (size & (size - 1)) !== 0) throw new RangeError(`${size} is no power of two`);
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const cos = Math.cos((2 * Math.PI * k) / length);
      const sin = -Math.sin((2 * Math.PI * k) / length);
      for (let i = k; i < size; i += length) {
        const re = real[i + half] * cos - imaginary[i + half] * sin;
        const im = real[i + half] * sin + imaginary[i + half] * cos;
        real[i + half] = real[i] - re;
        imaginary[i + half] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}

export interface Spectrum {
  binHz: number;
  /** Per bin, 0 to half the rate; a sine shows the dBFS of its amplitude. */
  db: Float64Array;
  /** The strongest within `spanHz` of a frequency; by default as wide as a single tone appears. */
  at(hz: number, spanHz?: number): number;
}

/**
 * Averaged over half-overlapping pieces of `size` frames under a Blackman-Harris window: a tone
 * spreads over four bins to each side, and what it leaks further is 92 dB down.
 */
export function spectrum(samples: ArrayLike<number>, sampleRate: number, size = 8192): Spectrum {
  if (samples.length < size) {
    throw new RangeError(`${samples.length} frames are less than the ${size} of one spectrum`);
  }
  const window = Float64Array.from({ length: size }, (_, i) => {
    const angle = (2 * Math.PI * i) / size;
    const [one, two, three] = [Math.cos(angle), Math.cos(2 * angle), Math.cos(3 * angle)];
    return 0.35875 - 0.48829 * one + 0.14128 * two - 0.01168 * three;
  });
  const scale = (2 / window.reduce((sum, value) => sum + value)) ** 2;
  const power = new Float64Array(size / 2 + 1);
  let pieces = 0;
  for (let from = 0; from + size <= samples.length; from += size / 2, pieces++) {
    const real = window.map((weight, i) => weight * samples[from + i]);
    const imaginary = new Float64Array(size);
    fft(real, imaginary);
    for (let bin = 0; bin < power.length; bin++) {
      power[bin] += real[bin] ** 2 + imaginary[bin] ** 2;
    }
  }
  const binHz = sampleRate / size;
  const db = power.map((sum) => 10 * Math.log10((sum * scale) / pieces));
  return {
    binHz,
    db,
    at: (hz, spanHz = 4 * binHz) =>
      Math.max(
        ...db.subarray(
          Math.max(0, Math.ceil((hz - spanHz) / binHz)),
          Math.floor((hz + spanHz) / binHz) + 1,
        ),
      ),
  };
}
