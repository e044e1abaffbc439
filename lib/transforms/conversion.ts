import { checkChannelMap, type ChannelMap } from '../format/channel-map.js';
import type { AudioFormat } from '../format/format.js';
import { checkBoolean, checkOneOf } from '../validate.js';

/** How a format is turned into another one. */
export interface ConversionOptions {
  /**
   * An entry for each channel that comes out, which also says how many there are. @default as ITU-R
   * BS.775 says
   */
  channelMap?: ChannelMap | undefined;
  /**
   * Passband and stopband of the filter; `high` is flat to 0.913 of half the lower rate, with 140 dB of
   * signal to noise. @default 'high'
   */
  quality?: 'low' | 'medium' | 'high' | 'best' | undefined;
  /**
   * Whether noise of 2 LSB (TPDF) is added before the rounding to `s16` or `s24`, so that quiet sound is not
   * distorted; samples that only pass through get none. @default false
   */
  dither?: boolean | undefined;
}

export const conversionOptionNames = ['channelMap', 'quality', 'dither'] as const;

/** `channels` come out, where that is known. Throws as the checks of lib/validate. */
export function checkConversion(options: ConversionOptions, channels: number | undefined): void {
  const { channelMap, quality, dither } = options;
  if (channelMap !== undefined) checkChannelMap(channelMap, 'options.channelMap', channels ?? 1);
  if (quality !== undefined) {
    checkOneOf(quality, 'options.quality', ['low', 'medium', 'high', 'best']);
  }
  if (dither !== undefined) checkBoolean(dither, 'options.dither');
}

/** As the engine takes them. The mask of what comes in says how it is folded, unless a map does. */
export function conversionPlan(
  options: ConversionOptions,
  from?: AudioFormat,
  to?: AudioFormat,
): object {
  const { quality = 'high', channelMap, dither = false } = options;
  const isFolded = !channelMap && from?.channels !== to?.channels;
  const channelMask = isFolded ? from?.channelMask : undefined;
  return { quality, channelMap, dither, channelMask };
}
