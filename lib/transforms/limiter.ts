import type { AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkNumber, checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformOptions,
  type TransformStats,
} from './audio-transform.js';

/** Options of a {@link Limiter}. */
export interface LimiterOptions extends TransformOptions {
  /** No sample is above it, dBFS, -60 to 0; -0.1. */
  ceilingDb?: number | undefined;
}

/** Counters of a {@link Limiter}. */
export interface LimiterStats extends TransformStats {
  /** The lowest gain that it had to use so far; 1: it never had to act. */
  lowestGain: number;
}

/**
 * A brickwall limiter that looks 1.5 ms ahead: the gain is down when the peak arrives, the same for
 * all channels. What stays below the ceiling passes bit for bit. A {@link Mixer} has one of its own.
 *
 * @example
 * reader.pipe(new Gain({ gain: 4 })).pipe(new Limiter({ ceilingDb: -1 })).pipe(writer);
 */
export class Limiter extends AudioTransform {
  /** @internal */
  static readonly [linkable] = true;
  readonly #ceiling: number;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: LimiterOptions) {
    const given = checkOptions(options, 'Limiter', [...transformOptionNames, 'ceilingDb']);
    const { ceilingDb = -0.1 } = given;
    checkNumber(ceilingDb, 'options.ceilingDb', -60, 0);
    super(given);
    this.#ceiling = 10 ** (ceilingDb / 20);
  }

  override stats(): Readonly<LimiterStats> {
    return {
      lowestGain: 1,
      ...super.stats(),
      ...(this.kernel?.report() as { lowestGain: number } | undefined),
    };
  }

  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    return { kind: 'limiter', to: from, options: { ceiling: this.#ceiling } };
  }
}
