import { types } from 'node:util';

import { native } from '../engine/native.js';
import { AudioError } from '../errors.js';
import { decodeSamples } from '../streams/samples.js';
import { mappedChannels } from '../format/channel-map.js';
import {
  bytesPerFrame,
  checkFormat,
  defaultFormat,
  resolveFormat,
  type AudioFormat,
} from '../format/format.js';
import { checkObject, checkOptions, invalidType } from '../validate.js';
import {
  checkConversion,
  conversionOptionNames,
  conversionPlan,
  type ConversionOptions,
} from './conversion.js';

const formatFields = ['sampleRate', 'channels', 'sampleFormat', 'channelMask'] as const;

/** Some fields of a format. Absent fields do not change. */
export type PartialFormat = { [K in keyof AudioFormat]?: AudioFormat[K] | undefined };

/** Options of {@link convert}. */
export interface ConvertOptions extends ConversionOptions {
  /** The format of the input. */
  from: AudioFormat;
  /** The format of the output. @default each field as in `from` */
  to: PartialFormat;
}

/**
 * Converts the sample rate, channels and sample format of a whole buffer at once, with the same result as a {@link
 * Resampler}. The result has exactly `round(frames x out / in)` frames. The call blocks the event loop, for tens of
 * milliseconds for each minute of stereo.
 *
 * @returns a new buffer.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`;
 *   `ERR_AUDIO_PARTIAL_FRAME` if the bytes end within a frame.
 *
 * @example
 * const speech = convert(recording, {
 *   from: { sampleRate: 48000, channels: 2, sampleFormat: 'f32' },
 *   to: { sampleRate: 16000, channels: 1, sampleFormat: 's16' },
 * });
 */
export function convert(buffer: Uint8Array, options: ConvertOptions): Buffer {
  checkBytes(buffer);
  checkObject(options, 'options');
  checkOptions(options, 'convert()', ['from', 'to', ...conversionOptionNames]);
  const from = checkFormat(options.from, 'options.from');
  checkObject(options.to, 'options.to');
  const wanted = checkOptions(options.to, 'a format', formatFields, 'options.to');
  const channels = wanted.channels ?? mappedChannels(options.channelMap);
  const to = resolveFormat({ ...wanted, channels }, from, 'options.to');
  checkConversion(options, to.channels);
  checkWhole(buffer, bytesPerFrame(from));
  return native().convert(buffer, from, to, conversionPlan(options, from, to));
}

/**
 * Decodes samples. The full scale of integers becomes -1 to 1, and channels stay interleaved. If the format has
 * `channels`, the bytes must be whole frames.
 *
 * @returns a new array. It is exact for `s16`, `s24` and `f32`, and rounded for `s32`.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`;
 *   `ERR_AUDIO_PARTIAL_FRAME` if the bytes end within a sample or a frame.
 *
 * @example
 * mic.on('data', (chunk) => draw(toFloat32(chunk, mic.format)));
 */
export function toFloat32(
  buffer: Uint8Array,
  format: PartialFormat & Pick<AudioFormat, 'sampleFormat'>,
): Float32Array {
  checkBytes(buffer);
  const interleaved = samplesOf(format);
  checkWhole(buffer, bytesPerFrame(interleaved));
  return decodeSamples(buffer, interleaved);
}

/**
 * Encodes interleaved samples with full scale at -1 to 1. Samples are rounded to the nearest value, ties to even, and
 * clipped. In an integer format NaN becomes 0. If the format has `channels`, the samples must be whole frames.
 *
 * @returns a new buffer.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`;
 *   `ERR_AUDIO_PARTIAL_FRAME` if the samples end within a frame.
 *
 * @example
 * sink.write(fromFloat32(samples, sink.format));
 */
export function fromFloat32(
  samples: Float32Array,
  format: PartialFormat & Pick<AudioFormat, 'sampleFormat'>,
): Buffer {
  if (!types.isFloat32Array(samples)) {
    throw invalidType('samples', 'an instance of Float32Array', samples);
  }
  const interleaved = samplesOf(format);
  const floats = { ...interleaved, sampleFormat: 'f32' as const };
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  checkWhole(bytes, bytesPerFrame(floats));
  return native().convert(bytes, floats, interleaved, conversionPlan({}));
}

function checkBytes(buffer: unknown): void {
  if (!types.isUint8Array(buffer)) {
    throw invalidType('buffer', 'an instance of Buffer or Uint8Array', buffer);
  }
}

/** A complete format with the given number of channels, or 1. Its rate has no effect. */
function samplesOf(format: PartialFormat & Pick<AudioFormat, 'sampleFormat'>): AudioFormat {
  checkObject(format, 'format');
  checkOptions(format, 'a format', formatFields, 'format');
  if (format.sampleFormat === undefined) {
    throw invalidType('format.sampleFormat', 'of type string', undefined);
  }
  return resolveFormat(format, { ...defaultFormat, channels: 1 }, 'format');
}

function checkWhole(bytes: Uint8Array, size: number): void {
  if (bytes.byteLength % size === 0) return;
  throw new AudioError(
    'ERR_AUDIO_PARTIAL_FRAME',
    `a buffer of ${bytes.byteLength} bytes ends within a frame of ${size} bytes`,
    { remedy: 'Check that the format is that of the buffer' },
  );
}
