import type { AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkNumber, checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformOptions,
} from './audio-transform.js';

/** Options of a {@link Gain}. */
export interface GainOptions extends TransformOptions {
  /** The gain, linear, 0 to 16. @default 1 */
  gain?: number | undefined;
}

/**
 * Changes the volume. With a gain of 1 every finite sample passes bit for bit. Samples that are not finite become 0.
 *
 * @example
 * const gain = new Gain({ gain: 0.5 });
 * mic.pipe(gain).pipe(speaker);
 * gain.setGain(1, { rampMs: 500 });
 */
export class Gain extends AudioTransform {
  /** @internal */
  static readonly [linkable] = true;
  #gain: number;
  #sampleRate = 0;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: GainOptions) {
    const given = checkOptions(options, 'Gain', [...transformOptionNames, 'gain']);
    const { gain = 1 } = given;
    checkNumber(gain, 'options.gain', 0, 16);
    super(given);
    this.#gain = gain;
  }

  /** The gain that was set last, linear. */
  get gain(): number {
    return this.#gain;
  }

  /**
   * Changes the gain (linear, 0 to 16) within `rampMs` (10), so that it does not click.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  setGain(gain: number, options?: { rampMs?: number }): void {
    checkNumber(gain, 'gain', 0, 16);
    const { rampMs = 10 } = checkOptions(options, 'setGain', ['rampMs']);
    checkNumber(rampMs, 'options.rampMs', 0, 60_000);
    this.#gain = gain;
    this.kernel?.setGain(gain, Math.round((rampMs * this.#sampleRate) / 1000));
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    this.#sampleRate = from.sampleRate;
    return { kind: 'gain', to: from, options: { gain: this.#gain } };
  }
}
