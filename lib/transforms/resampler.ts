import { resolveFormat, type AudioFormat, type FormatOptions } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformOptions,
} from './audio-transform.js';
import {
  checkConversion,
  conversionOptionNames,
  conversionPlan,
  type ConversionOptions,
} from './conversion.js';

/** Options of a {@link Resampler}. A field of the format that is not given stays as it comes in. */
export interface ResamplerOptions extends FormatOptions, TransformOptions, ConversionOptions {}

/**
 * Changes sample rate, channels, sample format. Polyphase filters of our own; the result has exactly
 * `round(framesIn x out / in)` frames, without delay at the head and with the whole tail, and the same
 * bytes however the input is cut.
 *
 * @example
 * mixer.pipe(new Resampler({ sampleRate: 16000, channels: 1, sampleFormat: 's16' })).pipe(transcriber);
 */
export class Resampler extends AudioTransform {
  /** @internal */
  static readonly [linkable] = true;
  readonly #options: ResamplerOptions;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  constructor(options?: ResamplerOptions) {
    const asked = checkOptions(options, 'Resampler', [
      ...transformOptionNames,
      'sampleRate',
      'channels',
      'sampleFormat',
      ...conversionOptionNames,
    ]);
    const { channelMap, channels = channelMap?.length } = asked;
    const given = { ...asked, channels };
    resolveFormat(given);
    checkConversion(given, channels);
    super(given);
    this.#options = given;
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    // A map says nothing of where its channels stand.
    const known = this.#options.channelMap ? { ...from, channelMask: undefined } : from;
    const to = resolveFormat(this.#options, known);
    return { kind: 'convert', to, options: conversionPlan(this.#options, from, to) };
  }
}
