import { AudioError } from '../errors.js';
import {
  checkInteger,
  checkObject,
  checkOneOf,
  checkOptions,
  invalidType,
  invalidValue,
} from '../validate.js';
import { usualMask } from './channel-map.js';

/**
 * The type of samples. They are little-endian and interleaved. `s24` is packed in three bytes. The full scale of `f32`
 * is -1 to 1.
 */
export type SampleFormat = 's16' | 's24' | 's32' | 'f32';

/** The format of the bytes of a stream. */
export interface AudioFormat {
  /** The number of frames per second, 8000 to 384000. */
  sampleRate: number;
  /** The number of samples in each frame, 1 to 32, in WAVE's channel order. */
  channels: number;
  /** The type of each sample. */
  sampleFormat: SampleFormat;
  /**
   * The speaker positions of the channels, if they differ from the usual layout: WAVE's `dwChannelMask`. `WavReader` and
   * `WavWriter` keep it, and channels are folded down by it.
   * @default the usual layout: left, right, centre, LFE, then those at the back and the sides
   */
  channelMask?: number | undefined;
}

/** The fields of a format that options can set. */
export type FormatOptions = {
  [K in keyof Omit<AudioFormat, 'channelMask'>]?: AudioFormat[K] | undefined;
};

export const sampleFormats: readonly SampleFormat[] = ['s16', 's24', 's32', 'f32'];

/** The default format of sources and mixers. */
export const defaultFormat: Readonly<AudioFormat> = Object.freeze({
  sampleRate: 48000,
  channels: 2,
  sampleFormat: 'f32',
});

const sampleBytes = { s16: 2, s24: 3, s32: 4, f32: 4 } as const;

export function bytesPerSample(format: { sampleFormat: SampleFormat }): number {
  return sampleBytes[format.sampleFormat];
}

export function bytesPerFrame(format: Pick<AudioFormat, 'channels' | 'sampleFormat'>): number {
  return sampleBytes[format.sampleFormat] * format.channels;
}

export function sameFormat(a: AudioFormat, b: AudioFormat): boolean {
  return (
    a.sampleRate === b.sampleRate &&
    a.channels === b.channels &&
    a.sampleFormat === b.sampleFormat &&
    maskOf(a) === maskOf(b)
  );
}

// A mask of 0 in a header is the same as no mask.
function maskOf({ channels, channelMask }: AudioFormat): number {
  return channelMask || usualMask(channels);
}

/** A text for messages: `48000 Hz, 2 channels, f32`, and the channel mask of an unusual layout. */
export function describeFormat(format: AudioFormat): string {
  const { sampleRate, channels, sampleFormat } = format;
  const mask = maskOf(format);
  const layout = mask === usualMask(channels) ? '' : ` with channel mask 0x${mask.toString(16)}`;
  return `${sampleRate} Hz, ${channels} channel${channels === 1 ? '' : 's'}${layout}, ${sampleFormat}`;
}

/**
 * The format of `wanted`'s three fields, each from `defaults` where it is undefined; frozen. Other
 * properties of `wanted` are not looked at, so it may be an options object.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, naming `name.field`.
 */
export function resolveFormat(
  wanted: { [K in keyof AudioFormat]?: AudioFormat[K] | undefined },
  defaults: AudioFormat = defaultFormat,
  name = 'options',
): Readonly<AudioFormat> {
  const {
    sampleRate = defaults.sampleRate,
    channels = defaults.channels,
    sampleFormat = defaults.sampleFormat,
    channelMask = channels === defaults.channels ? defaults.channelMask : undefined,
  } = wanted;
  return Object.freeze({
    sampleRate: checkInteger(sampleRate, `${name}.sampleRate`, 8000, 384000),
    channels: checkInteger(channels, `${name}.channels`, 1, 32),
    sampleFormat: checkOneOf(sampleFormat, `${name}.sampleFormat`, sampleFormats),
    ...(channelMask !== undefined && {
      channelMask: checkInteger(channelMask, `${name}.channelMask`, 0, 0xffffffff),
    }),
  });
}

/**
 * Checks for a complete format without other fields, and returns it frozen. Throws the same errors as resolveFormat.
 */
export function checkFormat(value: unknown, name: string): Readonly<AudioFormat> {
  const given = checkObject(value, name) as Partial<AudioFormat>;
  const fields = ['sampleRate', 'channels', 'sampleFormat', 'channelMask'] as const;
  checkOptions(given, 'a format', fields, name);
  const { sampleRate, channels, sampleFormat } = given;
  checkInteger(sampleRate, `${name}.sampleRate`, 8000, 384000);
  checkInteger(channels, `${name}.channels`, 1, 32);
  checkOneOf(sampleFormat, `${name}.sampleFormat`, sampleFormats);
  return resolveFormat(given, defaultFormat, name);
}

/** The same for an option that may be absent. */
export function optionalFormat(value: unknown, name: string): Readonly<AudioFormat> | undefined {
  return value === undefined ? undefined : checkFormat(value, name);
}

// A registered symbol, so that one build of the package reads declarations of the other.
const declared = Symbol.for('patchcord.format');

/**
 * Declares the format of a stream of another package, so that it can be piped into a mixer, a transform or a sink.
 *
 * @returns the same stream.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_INVALID_ARG_VALUE`, also if the stream has another format.
 *
 * @example
 * withFormat(speech, { sampleRate: 24000, channels: 1, sampleFormat: 's16' }).pipe(sink);
 */
export function withFormat<T extends object>(stream: T, format: AudioFormat): T {
  if (typeof stream !== 'object' || stream === null) {
    throw invalidType('stream', 'an instance of Stream', stream);
  }
  const value = checkFormat(format, 'format');
  const own = ownFormat(stream);
  if (own && !sameFormat(own, value)) {
    throw invalidValue('format', format, `contradicts the stream's own, ${describeFormat(own)}`);
  }
  Object.defineProperty(stream, declared, { value, configurable: true });
  return stream;
}

/**
 * The format of a stream: its own `format`, or the one that {@link withFormat} has declared, or undefined. It is also
 * undefined for a stream that does not know its format yet, such as a `WavReader` before the header.
 */
export function formatOf(stream: object): Readonly<AudioFormat> | undefined {
  return ownFormat(stream) ?? (stream as { [declared]?: AudioFormat })[declared];
}

// Checked by shape, because the stream may come from the other build. A stream of another package may have an unrelated
// property named `format`, which is ignored.
function ownFormat(stream: object): Readonly<AudioFormat> | undefined {
  try {
    const { format } = stream as { format?: unknown };
    return format === undefined ? undefined : checkFormat(format, 'format');
  } catch {
    return undefined;
  }
}

/**
 * Encodes samples with full scale at -1 to 1. As in the engine, they are rounded to nearest even and clipped, and NaN
 * becomes 0.
 */
export function encodeSamples(samples: ArrayLike<number>, sampleFormat: SampleFormat): Buffer {
  const size = sampleBytes[sampleFormat];
  const bytes = Buffer.allocUnsafeSlow(samples.length * size);
  const view = new DataView(bytes.buffer);
  const scale = 2 ** (8 * size - 1);
  for (let i = 0, offset = 0; i < samples.length; i++, offset += size) {
    if (sampleFormat === 'f32') {
      view.setFloat32(offset, samples[i], true);
      continue;
    }
    const value = roundToEven(Math.min(Math.max(samples[i] * scale, -scale), scale - 1)) || 0;
    if (size === 2) view.setInt16(offset, value, true);
    else if (size === 3) bytes.writeIntLE(value, offset, 3);
    else view.setInt32(offset, value, true);
  }
  return bytes;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** The error for bytes of unknown format; `reader` is the class that received them. */
export function formatUnknown(reader: string): AudioError {
  return new AudioError('ERR_AUDIO_FORMAT_UNKNOWN', `${reader} received bytes of unknown format`, {
    remedy:
      `Pipe a stream of this package into it, give it a format, ` +
      `or declare the stream's own with withFormat(stream, format)`,
  });
}

/** The error of a stream's `format` before audio of a known format flows in. */
export function formatNotYet(reader: string): AudioError {
  return new AudioError(
    'ERR_AUDIO_FORMAT_UNKNOWN',
    `the format of this ${reader} is not known yet`,
    {
      remedy:
        'It is that of the stream which is piped in, or of the bytes whose format was declared',
    },
  );
}
