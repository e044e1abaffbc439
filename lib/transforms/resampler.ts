import { checkChannelMap, type ChannelMap } from '../format/channel-map.js';
import { resolveFormat, type AudioFormat } from '../format/format.js';
import { linkable } from '../streams/links.js';
import { checkBoolean, checkOneOf, checkOptions } from '../validate.js';
import {
  AudioTransform,
  transformOptionNames,
  type FilterPlan,
  type TransformOptions,
} from './audio-transform.js';

/** What is not given stays as it comes in. */
export interface ResamplerOptions extends Partial<AudioFormat>, TransformOptions {
  /** An entry for each channel that comes out, which also says how many there are; ITU-R BS.775 else. */
  channelMap?: ChannelMap | undefined;
  /** Passband and stopband; `high`: flat to 0.913 of the lower rate's half, 140 dB. */
  quality?: 'low' | 'medium' | 'high' | 'best' | undefined;
  /**
   * TPDF noise of 2 LSB before the rounding to `s16` or `s24`, so that what is quiet is not distorted;
   * false. None where samples only pass through.
   */
  dither?: boolean | undefined;
}

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
      'channelMap',
      'quality',
      'dither',
    ]);
    const { channelMap, channels = channelMap?.length } = asked;
    const given = { ...asked, channels };
    resolveFormat(given);
    if (channelMap !== undefined) checkChannelMap(channelMap, 'options.channelMap', channels ?? 1);
    if (given.quality !== undefined) {
      checkOneOf(given.quality, 'options.quality', ['low', 'medium', 'high', 'best']);
    }
    if (given.dither !== undefined) checkBoolean(given.dither, 'options.dither');
    super(given);
    this.#options = given;
  }

  protected override plan(from: Readonly<AudioFormat>): FilterPlan {
    const { quality = 'high', channelMap, dither = false } = this.#options;
    return {
      kind: 'convert',
      to: resolveFormat(this.#options, from),
      options: { quality, channelMap, dither },
    };
  }
}
