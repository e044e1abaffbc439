import { mappedChannels } from '../format/channel-map.js';
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

/** Options of a {@link Resampler}. Absent fields of the format are those of the input. */
export interface ResamplerOptions extends FormatOptions, TransformOptions, ConversionOptions {}

/**
 * Changes the sample rate, the channels and the sample format with polyphase filters. The output has exactly
 * `round(framesIn x out / in)` frames, no delay at its start and its complete tail. It does not depend on how the
 * input is cut into chunks.
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
    const { channels = mappedChannels(asked.channelMap) } = asked;
    const given = { ...asked, channels };
    resolveFormat(given);
    checkConversion(given, channels);
    super(given);
    this.#options = given;
  }

  /** @internal */
  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    // A channel map does not define speaker positions.
    const known = mappedChannels(this.#options.channelMap)
      ? { ...from, channelMask: undefined }
      : from;
    const to = resolveFormat(this.#options, known);
    return { kind: 'convert', to, options: conversionPlan(this.#options, from, to) };
  }
}
