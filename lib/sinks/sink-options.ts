import type { BackendOption } from '../engine/backend.js';
import { patienceOf, type RecoverOptions } from '../devices/device-keeper.js';
import { checkSelector, type DeviceSelector } from '../devices/devices.js';
import type { NativeOpenOptions } from '../engine/native.js';
import { optionalFormat, type AudioFormat } from '../format/format.js';
import { checkOpenOptions, openOptionNames, type OpenOptions } from '../devices/open-options.js';
import { checkAbortSignal, checkBoolean, checkNumber, checkOptions } from '../validate.js';

/** Options of all sinks. */
export interface SinkOptions extends OpenOptions, BackendOption {
  /**
   * The output: an `AudioDevice`, an exact id, an exact name, or a part of a name that no other device has. With
   * `'default'` the sink follows the system's default device. @default 'default'
   */
  device?: DeviceSelector | undefined;
  /** Format of the written bytes. @default the format of the stream that is piped in */
  format?: AudioFormat | undefined;
  /** How much audio the sink keeps in the buffer of its device, in ms. @default 15 */
  latencyMs?: number | undefined;
  /**
   * The maximum that the sink keeps in the buffer after underruns, in ms. After each underrun the sink raises the
   * amount by what was missing, by 5 ms at least, and lowers it again slowly. If it equals `latencyMs`, the amount
   * never changes.
   * @default 60, or `latencyMs` if that is more
   */
  maxLatencyMs?: number | undefined;
  /**
   * How much audio the sink can queue, in ms: bytes that are written ahead, or frames of a linked stream. @default 500
   */
  bufferMs?: number | undefined;
  /** Whether a source in the graph may record the device that this sink plays to. @default false */
  allowFeedback?: boolean | undefined;
  /** Destroys the sink with an `AbortError`. The normal stop is `close()`. @default none */
  signal?: AbortSignal | undefined;
  /**
   * The format in which the device is opened. If the device does not support it, the sink fails with
   * `ERR_AUDIO_FORMAT_UNSUPPORTED`. In shared mode Windows supports only the format that is set in the properties of
   * the device. With `shareMode: 'exclusive'` the driver decides. A microphone that the sink creates gets this format.
   * The sink converts all audio to it. @default the device's own format
   */
  deviceFormat?: AudioFormat | undefined;
  /** Whether to bring the audio to the loudness of speech, as {@link LoudnessNormalizer} does. @default false */
  normalize?: boolean | undefined;
  /** Whether to limit the audio to -0.1 dBFS, so that nothing clips. @default false */
  limiter?: boolean | undefined;
  /**
   * Whether the sink waits for a lost device to return, and for how long. Meanwhile it discards its audio at the pace of
   * the device. With `false` it fails with `ERR_AUDIO_DEVICE_LOST`, and does not
   * follow a changed default. @default true: it waits for one minute
   */
  recover?: boolean | RecoverOptions | undefined;
  /**
   * Whether the written bytes come from a live producer outside this package. Then the sink resamples them to the clock
   * of the device, and the producer never waits. Otherwise they are queued, and the writer waits for room. @default
   * false
   */
  live?: boolean | undefined;
}

export function checkSinkOptions<T extends SinkOptions>(
  options: T | undefined,
  owner: string,
  names: readonly (keyof T & string)[] = [],
): T {
  const known: readonly (keyof SinkOptions)[] = [
    'device',
    'format',
    'latencyMs',
    'maxLatencyMs',
    'bufferMs',
    'allowFeedback',
    'signal',
    'backend',
    'deviceFormat',
    'normalize',
    'limiter',
    ...openOptionNames,
    'recover',
    'live',
  ];
  const given = checkOptions<T>(options, owner, [...(known as (keyof T & string)[]), ...names]);
  if (given.device !== undefined) checkSelector(given.device, 'options.device');
  patienceOf(given.recover);
  return given;
}

/** The checked options of a sink, with their defaults. */
export interface SinkSettings {
  declared: Readonly<AudioFormat> | undefined;
  latencyMs: number;
  maxLatencyMs: number;
  bufferMs: number;
  allowFeedback: boolean;
  normalize: boolean;
  limiter: boolean;
  live: boolean;
  openOptions: NativeOpenOptions;
  signal: AbortSignal | undefined;
}

/** Checks the values of options whose names have been checked. */
export function toSinkSettings(given: SinkOptions): SinkSettings {
  const { format, deviceFormat, bufferMs = 500, signal } = given;
  const { allowFeedback = false, normalize = false, limiter = false, live = false } = given;
  const { latencyMs = 15 } = given;
  checkNumber(latencyMs, 'options.latencyMs', 1, 1000);
  const { maxLatencyMs = Math.max(60, latencyMs) } = given;
  checkNumber(maxLatencyMs, 'options.maxLatencyMs', latencyMs, 1000);
  checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
  for (const [name, value] of Object.entries({ allowFeedback, normalize, limiter, live })) {
    checkBoolean(value, `options.${name}`);
  }
  if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
  return {
    declared: optionalFormat(format, 'options.format'),
    latencyMs,
    maxLatencyMs,
    bufferMs,
    allowFeedback,
    normalize,
    limiter,
    live,
    openOptions: {
      ...checkOpenOptions(given),
      format: optionalFormat(deviceFormat, 'options.deviceFormat'),
    },
    signal,
  };
}
