import type { AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkBoolean, checkNumber, checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformOptions,
  type TransformStats,
} from './audio-transform.js';

/** Options of a {@link Limiter}. */
export interface LimiterOptions extends TransformOptions {
  /** No sample is above it, dBFS, -60 to 0. @default -0.1 */
  ceilingDb?: number | undefined;
  /**
   * Whether peaks between the samples, which a converter plays, stay below the ceiling as well: by
   * less than 0.1 dB they may be above it. This takes 0.9 % of a core instead of 0.2 % at 48 kHz
   * stereo, delays a live stream by 72 frames more (1.5 ms at 48 kHz), and turns a loud sound down
   * by 0.1 dB more. @default false
   */
  truePeak?: boolean | undefined;
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
  readonly #truePeak: boolean;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: LimiterOptions) {
    const given = checkOptions(options, 'Limiter', [
      ...transformOptionNames,
      'ceilingDb',
      'truePeak',
    ]);
    const { ceilingDb = -0.1, truePeak = false } = given;
    checkNumber(ceilingDb, 'options.ceilingDb', -60, 0);
    checkBoolean(truePeak, 'options.truePeak');
    super(given);
    this.#ceiling = 10 ** (ceilingDb / 20);
    this.#truePeak = truePeak;
  }

  override stats(): Readonly<LimiterStats> {
    return {
      lowestGain: 1,
      ...super.stats(),
      ...(this.kernel?.report() as { lowestGain: number } | undefined),
    };
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    return {
      kind: 'limiter',
      to: from,
      options: { ceiling: this.#ceiling, truePeak: this.#truePeak },
    };
  }
}
