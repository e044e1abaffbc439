import { fft } from './spectrum.js';

export interface Delay {
  /** Frames by which the second signal is later than the first; whole frames. */
  frames: number;
  /** How alike the two are there, over the part where both exist: 1 identical up to a gain. */
  correlation: number;
}

/**
 * Finds where `later` repeats `earlier`. The signals must not be periodic, or the delay is known only
 * to a period: use noise or a sweep.
 */
export function findDelay(
  earlier: Float32Array,
  later: Float32Array,
  maxFrames = Math.max(earlier.length, later.length) - 1,
): Delay {
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, earlier.length + later.length)));
  const [a, aIm] = transform(earlier, size);
  const [b, bIm] = transform(later, size);
  // conj(a) * b, then back: the inverse is the transform of the conjugate.
  const real = a.map((value, i) => value * b[i] + aIm[i] * bIm[i]);
  const imaginary = a.map((value, i) => -(value * bIm[i] - aIm[i] * b[i]));
  fft(real, imaginary);
  let frames = 0;
  for (
    let lag = -Math.min(maxFrames, earlier.length - 1);
    lag <= Math.min(maxFrames, later.length - 1);
    lag++
  ) {
    if (real[(lag + size) % size] > real[(frames + size) % size]) frames = lag;
  }
  let [product, energyA, energyB] = [0, 0, 0];
  for (let i = Math.max(0, -frames); i < Math.min(earlier.length, later.length - frames); i++) {
    product += earlier[i] * later[i + frames];
    energyA += earlier[i] ** 2;
    energyB += later[i + frames] ** 2;
  }
  return { frames, correlation: product / Math.sqrt(energyA * energyB) || 0 };
}

function transform(samples: Float32Array, size: number): [Float64Array, Float64Array] {
  const real = new Float64Array(size);
  real.set(samples);
  const imaginary = new Float64Array(size);
  fft(real, imaginary);
  return [real, imaginary];
}
