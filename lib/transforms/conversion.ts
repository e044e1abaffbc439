import { checkDownMix, type ChannelMap } from '../format/channel-map.js';
import type { AudioFormat } from '../format/format.js';
import { checkBoolean, checkOneOf } from '../validate.js';

/** Options of a conversion between formats. */
export interface ConversionOptions {
  /**
   * An entry for each output channel. Its length is also the number of output channels. `'attenuated'` is the usual
   * down-mix, so quiet that it never exceeds full scale. @default the up- and down-mix of ITU-R BS.775
   */
  channelMap?: ChannelMap | 'attenuated' | undefined;
  /**
   * The quality of the filter. `'high'` is flat up to 0.913 of half the lower rate, and has a signal-to-noise ratio of
   * 140 dB. @default 'high'
   */
  quality?: 'low' | 'medium' | 'high' | 'best' | undefined;
  /**
   * Whether to add noise of 2 LSB (TPDF) before the rounding to `s16` or `s24`, so that quiet sound is not distorted.
   * Samples that are not rounded get none. @default false
   */
  dither?: boolean | undefined;
}

export const conversionOptionNames = ['channelMap', 'quality', 'dither'] as const;

/** @param channels the number of output channels, if it is known. Throws the errors of lib/validate. */
export function checkConversion(options: ConversionOptions, channels: number | undefined): void {
  const { channelMap, quality, dither } = options;
  if (channelMap !== undefined) checkDownMix(channelMap, 'options.channelMap', channels ?? 1);
  if (quality !== undefined) {
    checkOneOf(quality, 'options.quality', ['low', 'medium', 'high', 'best']);
  }
  if (dither !== undefined) checkBoolean(dither, 'options.dither');
}

/** The options for the engine. Without a channel map the mask of the input determines the down-mix. */
export function conversionPlan(
  options: ConversionOptions,
  from?: AudioFormat,
  to?: AudioFormat,
): object {
  const { quality = 'high', channelMap, dither = false } = options;
  const isFolded = !Array.isArray(channelMap) && from?.channels !== to?.channels;
  const channelMask = isFolded ? from?.channelMask : undefined;
  return { quality, channelMap, dither, channelMask };
}
