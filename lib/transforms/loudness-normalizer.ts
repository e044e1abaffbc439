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

/** Options of a {@link LoudnessNormalizer}. */
export interface LoudnessNormalizerOptions extends TransformOptions {
  /** The target loudness, in LUFS, -60 to -5. @default -18, which AES TD1008 recommends for speech */
  targetLufs?: number | undefined;
  /** The maximum gain, in dB, 0 to 60. @default 20 */
  maxGainDb?: number | undefined;
}

/** Counters of a {@link LoudnessNormalizer}. */
export interface LoudnessNormalizerStats extends TransformStats {
  /** The present gain, in dB. */
  gainDb: number;
  /** Loudness of the last 3 s of the input, LUFS; silence is `-Infinity`. */
  inputLufs: number;
}

/**
 * Brings a voice, or any other audio, to one loudness. The gain changes so slowly that the change is not audible. The
 * loudness is measured as in ITU-R BS.1770. The measurement is gated, so the gain does not rise in pauses and noise. A
 * limiter follows.
 *
 * @example
 * mixer.pipe(new LoudnessNormalizer()).pipe(new VirtualMicSink());
 */
export class LoudnessNormalizer extends AudioTransform {
  /** @internal */
  static readonly [linkable] = true;
  readonly #targetLufs: number;
  readonly #maxGainDb: number;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: LoudnessNormalizerOptions) {
    const given = checkOptions(options, 'LoudnessNormalizer', [
      ...transformOptionNames,
      'targetLufs',
      'maxGainDb',
    ]);
    const { targetLufs = -18, maxGainDb = 20 } = given;
    checkNumber(targetLufs, 'options.targetLufs', -60, -5);
    checkNumber(maxGainDb, 'options.maxGainDb', 0, 60);
    super(given);
    this.#targetLufs = targetLufs;
    this.#maxGainDb = maxGainDb;
  }

  override stats(): Readonly<LoudnessNormalizerStats> {
    const report = this.kernel?.report() as { gainDb: number; inputLufs: number } | undefined;
    return { gainDb: 0, inputLufs: -Infinity, ...super.stats(), ...report };
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    return {
      kind: 'normalizer',
      to: from,
      options: { targetLufs: this.#targetLufs, maxGainDb: this.#maxGainDb },
    };
  }
}
