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
  /** The highest peak of the output, in dBFS, -60 to 0. @default -0.1 */
  ceilingDb?: number | undefined;
  /**
   * Whether to also limit the peaks between samples, which a converter plays. They may exceed the ceiling by less than
   * 0.1 dB. This takes 0.9 % of a core instead of 0.2 % (48 kHz stereo), delays a live stream by 72 more frames (1.5 ms
   * at 48 kHz), and attenuates loud sound by 0.1 dB more. @default false
   */
  truePeak?: boolean | undefined;
}

/** Counters of a {@link Limiter}. */
export interface LimiterStats extends TransformStats {
  /** The lowest gain that the limiter has used; 1 if it has changed nothing. */
  lowestGain: number;
}

/**
 * A brickwall limiter with a look-ahead of 1.5 ms: it lowers the gain of all channels before a peak arrives. Audio below
 * the ceiling passes bit for bit. A {@link Mixer} has its own limiter.
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
