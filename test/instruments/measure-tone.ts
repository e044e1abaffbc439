import { fitSine } from './sine-fit.js';

export interface Tone {
  /** Hz; to 0.01 Hz from a tenth of a second on. NaN in silence. */
  frequency: number;
  /** The sine's amplitude, dBFS: a full-scale sine has 0. */
  peakDb: number;
  /** The sine's RMS relative to 1.0: a full-scale sine has -3.01. */
  rmsDb: number;
  /** The sine's power over the power of everything else but a constant. */
  snrDb: number;
}

/**
 * Measures the one tone expected near `nearHz`, within 2 % and at least 20 Hz. Other signals do not
 * fail, they measure as what they are: a low `snrDb`, a wrong `peakDb`.
 */
export function measureTone(samples: ArrayLike<number>, sampleRate: number, nearHz: number): Tone {
  if (samples.length < (4 * sampleRate) / nearHz) {
    throw new RangeError(`${samples.length} frames are too few to measure ${nearHz} Hz`);
  }
  // From a short piece, where a coarse start is enough, to the whole, where it must be exact.
  let length = Math.min(samples.length, 8192);
  let omega = coarse(samples, length, sampleRate, nearHz);
  for (;;) {
    const fit = fitSine(samples, 0, length, omega, true);
    omega = fit.omega;
    if (length === samples.length) {
      const power = fit.amplitude ** 2 / 2;
      return {
        frequency: power > 0 ? (fit.omega * sampleRate) / (2 * Math.PI) : NaN,
        peakDb: 20 * Math.log10(fit.amplitude),
        rmsDb: 10 * Math.log10(power),
        snrDb: power > 0 ? 10 * Math.log10(power / fit.residual) : -Infinity,
      };
    }
    length = Math.min(4 * length, samples.length);
  }
}

/** The strongest of closely spaced frequencies around the expected one, radians per frame. */
function coarse(
  samples: ArrayLike<number>,
  length: number,
  sampleRate: number,
  nearHz: number,
): number {
  const span = Math.max(20, nearHz * 0.02);
  const step = sampleRate / length / 4;
  let best = { power: -1, omega: 0 };
  for (let hz = Math.max(step, nearHz - span); hz <= nearHz + span; hz += step) {
    const omega = (2 * Math.PI * hz) / sampleRate;
    let [real, imaginary] = [0, 0];
    for (let i = 0; i < length; i++) {
      const window = 1 - Math.cos((2 * Math.PI * (i + 0.5)) / length);
      real += samples[i] * window * Math.cos(omega * i);
      imaginary += samples[i] * window * Math.sin(omega * i);
    }
    const power = real ** 2 + imaginary ** 2;
    if (power > best.power) best = { power, omega };
  }
  return best.omega;
}
