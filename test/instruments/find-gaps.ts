import { fitSine, phaseAt, valueAt, type SineFit } from './sine-fit.js';

/** How long the engine fades. */
const fadeSeconds = 0.003;

/** A place where a tone is not what it should be. */
export interface Gap {
  /**
   * - `silence`: exact zeros; the fall of the tone to zero that it may begin with is part of it, and the rise behind it,
   *   as long as the fall, belongs to no gap;
   * - `dropped`: frames are missing;
   * - `inserted`: frames that do not belong there, for example doubled ones;
   * - `glitch`: wrong samples, or a step in level, in an otherwise unbroken tone.
   */
  kind: 'silence' | 'dropped' | 'inserted' | 'glitch';
  /** The first frame concerned. */
  frame: number;
  /** How many are zero, missing, inserted or wrong; a fraction where it is no whole number. */
  frames: number;
  /**
   * Only of `silence` between two stretches of the tone: frames by which the second is too early.
   * 0: the silence is exactly as long as what it replaces.
   */
  shift?: number;
}

export interface FindGapsOptions {
  sampleRate: number;
  /** The frequency of the expected tone, within 1 %. */
  frequency: number;
  /** The shortest run of zeros that counts as silence. */
  minFrames?: number;
  /** How far a sample may be from the predicted one where the pitch is not constant; 0.000001. */
  tolerance?: number;
  /** The longest jump to distinguish from a shorter one that looks alike. */
  maxFrames?: number;
}

/**
 * Finds everything that breaks a steady tone, to the frame. A tone repeats: a jump by whole periods
 * cannot be seen in it, and 1000 Hz at 48000 Hz has periods of exactly 48 frames. Use one like 997
 * Hz, in which jumps of up to about a thousand frames all differ. Noise must be 50 dB below the tone.
 */
export function findGaps(samples: Float32Array, options: FindGapsOptions): Gap[] {
  const { minFrames = 8 } = options;
  const omega = typicalOmega(samples, options);
  const silences = zeroRuns(samples, minFrames).map(([from, to]) => {
    const fall = fallBefore(samples, from, omega, options);
    return [from - fall, to, fall] as const;
  });
  const gaps: Gap[] = silences.map(([from, to]) => ({
    kind: 'silence',
    frame: from,
    frames: to - from,
  }));
  const rise = Math.round(fadeSeconds * options.sampleRate);
  const starts = [
    0,
    ...silences.map(([, to, fall]) => Math.min(samples.length, fall > 0 ? to + rise : to)),
  ];
  const ends = [...silences.map(([from]) => from), samples.length];
  const limit = Math.max(10 * typicalError(samples, omega), options.tolerance ?? 1e-6);

  // The parts between silences, cut where the prediction of the next sample fails.
  let before: SineFit | undefined;
  starts.forEach((start, s) => {
    const breaks = failures(samples, start, ends[s], omega, limit);
    const pieces = [
      ...breaks.map(([from], i) => [i === 0 ? start : breaks[i - 1][1], from]),
      [breaks.at(-1)?.[1] ?? start, ends[s]],
    ];
    const fits = pieces.map(([from, to]) => fitPiece(samples, from, to, omega));
    if (s > 0) {
      const first = fits[0]?.head;
      if (before && first) gaps[s - 1].shift = jump(before, first, start, options);
    }
    breaks.forEach((extent, i) => {
      gaps.push(explain(samples, extent, fits[i]?.tail, fits[i + 1]?.head, options));
    });
    before = fits.at(-1)?.tail;
  });
  return gaps.sort((a, b) => a.frame - b.frame);
}

function zeroRuns(samples: Float32Array, minFrames: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let from = 0; from < samples.length; from++) {
    let to = from;
    while (to < samples.length && samples[to] === 0) to++;
    if (to - from >= minFrames) runs.push([from, to]);
    from = Math.max(from, to);
  }
  return runs;
}

/** Frames before `silence` in which the tone continues and falls to zero, as the engine fades sound that ends. */
function fallBefore(
  samples: Float32Array,
  silence: number,
  omega: number,
  { sampleRate }: FindGapsOptions,
): number {
  const length = Math.round(fadeSeconds * sampleRate);
  const sound = silence - length;
  const from = Math.max(0, sound - 2048);
  if (sound - from < (8 * Math.PI) / omega) return 0;
  const tone = fitSine(samples, from, sound, omega, false);
  if (tone.amplitude < 1e-4 || tone.residual > tone.amplitude ** 2 / 200) return 0;
  let best = { error: Infinity, frames: 0 };
  // The last frames may round to zero.
  for (let rounded = 0; rounded < 8; rounded++) {
    const end = silence + rounded;
    let error = 0;
    for (let left = 1; left < length; left++) {
      const t = left / length;
      const expected = valueAt(tone, end - left) * t * t * (3 - 2 * t);
      error += (samples[end - left] - expected) ** 2 / length;
    }
    if (error < best.error) best = { error, frames: length - 1 - rounded };
  }
  return best.error < tone.amplitude ** 2 / 500 ? best.frames : 0;
}

/** The middle of many short measurements: a jump spoils one of them, never the result. */
function typicalOmega(samples: Float32Array, { sampleRate, frequency }: FindGapsOptions): number {
  const expected = (2 * Math.PI * frequency) / sampleRate;
  const length = Math.max(512, Math.ceil((8 * sampleRate) / frequency));
  const found = [];
  for (let from = 0; from + length <= samples.length; from += length) {
    const fit = fitSine(samples, from, from + length, expected, true);
    if (Math.abs(fit.omega / expected - 1) < 0.01 && fit.amplitude > 1e-4) found.push(fit.omega);
  }
  if (found.length === 0) throw new RangeError(`no tone of ${frequency} Hz was found`);
  return median(found);
}

// In a sine each sample follows from the two before it.
function predictionError(samples: Float32Array, i: number, omega: number): number {
  return samples[i] - 2 * Math.cos(omega) * samples[i - 1] + samples[i - 2];
}

function typicalError(samples: Float32Array, omega: number): number {
  const errors = [];
  for (let i = 2; i < samples.length; i++) {
    if (samples[i] !== 0) errors.push(Math.abs(predictionError(samples, i, omega)));
  }
  return median(errors);
}

/** Where the prediction fails: from the first frame that is new to the first that is well again. */
function failures(
  samples: Float32Array,
  start: number,
  end: number,
  omega: number,
  limit: number,
): [number, number][] {
  const found: [number, number][] = [];
  for (let i = start + 2; i < end; i++) {
    if (Math.abs(predictionError(samples, i, omega)) <= limit) continue;
    const last = found.at(-1);
    if (last && i - last[1] <= 4) last[1] = i + 1;
    else found.push([i, i + 1]);
  }
  return found;
}

/** The tone at both ends of an unbroken piece; nothing if it is too short to tell, or no tone. */
function fitPiece(
  samples: Float32Array,
  from: number,
  to: number,
  omega: number,
): { head: SineFit; tail: SineFit } | undefined {
  const period = (2 * Math.PI) / omega;
  const length = Math.min(to - from, Math.max(2048, Math.ceil(8 * period)));
  if (length < period) return undefined;
  const refine = length >= 4 * period;
  const head = fitSine(samples, from, from + length, omega, refine);
  const tail = fitSine(samples, to - length, to, omega, refine);
  const isTone = ({ amplitude, residual }: SineFit): boolean =>
    amplitude > 1e-4 && amplitude ** 2 > 200 * residual;
  return isTone(head) && isTone(tail) ? { head, tail } : undefined;
}

function explain(
  samples: Float32Array,
  [from, to]: [number, number],
  before: SineFit | undefined,
  after: SineFit | undefined,
  options: FindGapsOptions,
): Gap {
  // The prediction looks back two frames, so it fails for two more than are wrong.
  const wrong: Gap = { kind: 'glitch', frame: from, frames: Math.max(1, to - from - 2) };
  if (!before || !after) return wrong;
  const frames = jump(before, after, from, options);
  if (Math.abs(frames) < 0.005) return wrong;
  const frame = seam(samples, from, to, before, after);
  return frames > 0
    ? { kind: 'dropped', frame, frames }
    : { kind: 'inserted', frame, frames: -frames };
}

/** By how many frames the tone is ahead at `frame`. */
function jump(
  before: SineFit,
  after: SineFit,
  frame: number,
  { sampleRate, frequency, maxFrames = 1000 }: FindGapsOptions,
): number {
  const turns = (phaseAt(after, frame) - phaseAt(before, frame)) / (2 * Math.PI);
  const period = (4 * Math.PI) / (before.omega + after.omega);
  const nearest = (turns - Math.round(turns)) * period;
  // Whole turns cannot be seen; the shortest jump by whole frames that explains it is taken.
  const most = Math.ceil((maxFrames * frequency) / sampleRate);
  for (let m = 0; m <= most; m++) {
    for (const frames of [nearest + m * period, nearest - m * period]) {
      const whole = Math.round(frames);
      if (Math.abs(frames - whole) < 0.005 && Math.abs(whole) <= maxFrames) return whole || 0;
    }
  }
  return nearest;
}

/** The frame at which going over from the one sine to the other fits best. */
function seam(
  samples: Float32Array,
  from: number,
  to: number,
  before: SineFit,
  after: SineFit,
): number {
  let error = 0;
  let best = { error: Infinity, frame: from };
  const [first, last] = [Math.max(0, from - 3), Math.min(samples.length, to + 1)];
  for (let i = first; i <= last; i++) {
    if (error < best.error) best = { error, frame: i };
    if (i < last) {
      error += (samples[i] - valueAt(before, i)) ** 2 - (samples[i] - valueAt(after, i)) ** 2;
    }
  }
  return best.frame;
}

function median(values: number[]): number {
  return Float64Array.from(values).sort()[values.length >> 1];
}
