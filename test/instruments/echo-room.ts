import { seededRandom } from './random.js';

/** The sound at a microphone in a room with a talker and a loudspeaker, at 48 kHz, and its parts. */
export interface EchoRoom {
  /** The signal of the loudspeaker. */
  far: Float32Array;
  echo: Float32Array;
  near: Float32Array;
  microphone: Float32Array;
}

const rate = 48_000;

/**
 * A room of the same sounds for the same seed. The far end sounds from the beginning, the talker from `nearFrom`
 * seconds on, as loud as the echo.
 *
 * @param options `ppm`: how much faster the microphone's clock runs than the loudspeaker's.
 */
export function echoRoom(
  seconds: number,
  { seed = 1, nearFrom = Infinity, ppm = 0 } = {},
): EchoRoom {
  const random = seededRandom(seed);
  const frames = seconds * rate;
  const far = syllables(random, frames, 0.1);
  const near = syllables(random, frames, 0.03);
  near.fill(0, 0, Math.min(frames, nearFrom * rate));
  const played = stretched(far, 1 / (1 + ppm * 1e-6));
  const echo = new Float32Array(frames);
  for (const [at, gain] of reflections(random)) {
    for (let i = at; i < frames; i++) echo[i] = echo[i] + gain * played[i - at];
  }
  const microphone = echo.map((sample, i) => sample + near[i] + 0.0005 * (random() - 0.5));
  return { far, echo, near, microphone };
}

function reflections(random: () => number): [number, number][] {
  const all: [number, number][] = [[240, 0.3]];
  for (let n = 0; n < 150; n++) {
    const time = 0.001 + 0.3 * random();
    all.push([240 + Math.floor(time * rate), 0.15 * (random() - 0.5) * 10 ** (-3 * (time / 0.35))]);
  }
  return all;
}

/** Noise in bursts as long as syllables, each with a different colour. `level`: of all frames, RMS. */
export function syllables(random: () => number, frames: number, level: number): Float32Array {
  const out = new Float32Array(frames);
  for (let at = 0; at < frames;) {
    const length = Math.floor((0.1 + 0.25 * random()) * rate);
    const radius = 0.9 + 0.09 * random();
    const a = 2 * radius * Math.cos((2 * Math.PI * (300 + 3000 * random())) / rate);
    let y1 = 0;
    let y2 = 0;
    for (let i = 0; i < length && at + i < frames; i++) {
      const y = random() - 0.5 + a * y1 - radius * radius * y2;
      y2 = y1;
      y1 = y;
      out[at + i] = y * (1 - radius) * Math.sin((Math.PI * i) / length);
    }
    at += length;
  }
  const rms = Math.sqrt(out.reduce((sum, sample) => sum + sample * sample, 0) / frames);
  return out.map((sample) => (sample * level) / rms);
}

/** Read at another speed, by a windowed sinc. */
function stretched(samples: Float32Array, step: number): Float32Array {
  if (step === 1) return samples;
  const reach = 16;
  return samples.map((_, i) => {
    const at = i * step;
    const first = Math.floor(at) - reach + 1;
    let sum = 0;
    for (let k = Math.max(0, first); k < Math.min(samples.length, first + 2 * reach); k++) {
      const x = Math.PI * (at - k);
      const sinc = x === 0 ? 1 : Math.sin(x) / x;
      sum += samples[k] * sinc * (0.5 + 0.5 * Math.cos(x / reach));
    }
    return sum;
  });
}

/** dB of the frames from `from` to `to`, in seconds. */
export function powerDb(samples: Float32Array, from: number, to: number): number {
  const part = samples.subarray(from * rate, to * rate);
  return 10 * Math.log10(part.reduce((sum, sample) => sum + sample * sample, 1e-20) / part.length);
}

/** How far `wanted` lies above everything else in `samples`, dB: scale-invariant signal to distortion ratio. */
export function distortionDb(
  samples: Float32Array,
  wanted: Float32Array,
  from: number,
  to: number,
): number {
  const [out, own] = [samples, wanted].map((all) => all.subarray(from * rate, to * rate)) as [
    Float32Array,
    Float32Array,
  ];
  let both = 0;
  let power = 1e-20;
  own.forEach((sample, i) => {
    both += sample * out[i];
    power += sample * sample;
  });
  const gain = both / power;
  let rest = 1e-20;
  own.forEach((sample, i) => (rest += (out[i] - gain * sample) ** 2));
  return 10 * Math.log10((gain * gain * power) / rest);
}
