import type { BackendOption } from '../engine/backend.js';
import { patienceOf, type RecoverOptions } from '../devices/device-keeper.js';
import { checkSelector, type DeviceSelector } from '../devices/devices.js';
import type { NativeOpenOptions } from '../engine/native.js';
import { optionalFormat, type AudioFormat } from '../format/format.js';
import { checkOpenOptions, openOptionNames, type OpenOptions } from '../devices/open-options.js';
import { checkAbortSignal, checkBoolean, checkNumber, checkOptions } from '../validate.js';

/** Options that all sinks have. */
export interface SinkOptions extends OpenOptions, BackendOption {
  /** An output: an `AudioDevice`, an exact id or name, or a part of only one name. @default the system's */
  device?: DeviceSelector | undefined;
  /** Format of the bytes written. @default that of the stream which is piped in */
  format?: AudioFormat | undefined;
  /** Fill held between the engine and the device, ms. @default 15 */
  latencyMs?: number | undefined;
  /**
   * The most that the sink holds after underruns, ms: each time that the device runs dry it holds as much
   * more as was missing, 5 ms at least, and gives it back slowly. `latencyMs`: it never holds more.
   * @default 60, or `latencyMs` where that is more
   */
  maxLatencyMs?: number | undefined;
  /** How much audio the sink can hold, ms: bytes that are written ahead, or frames of a linked stream. @default 500 */
  bufferMs?: number | undefined;
  /** Whether a source in the graph may hear the device that this sink plays to. @default false */
  allowFeedback?: boolean | undefined;
  /** Destroys the sink with an `AbortError`. The normal stop is `close()`. @default none */
  signal?: AbortSignal | undefined;
  /**
   * A demand: the format in which the device is opened, else `ERR_AUDIO_FORMAT_UNSUPPORTED`. Windows'
   * audio engine takes the one chosen in the device's properties; `shareMode: 'exclusive'` asks its
   * driver; a microphone that is made is made with it. What is played is converted either way.
   * @default the device's own
   */
  deviceFormat?: AudioFormat | undefined;
  /** Brings what is played to the loudness of speech, as {@link LoudnessNormalizer} does. @default false */
  normalize?: boolean | undefined;
  /** Nothing above -0.1 dBFS gets to the device, so that nothing clips. @default false */
  limiter?: boolean | undefined;
  /**
   * Whether the sink waits for a device that goes, and for how long. Meanwhile it throws away what is to be
   * played, at the pace of the device. With `false` it fails with `ERR_AUDIO_DEVICE_LOST`, and does not
   * follow a changed default. @default true: a minute
   */
  recover?: boolean | RecoverOptions | undefined;
  /**
   * Whether what is written comes from a live producer outside this package, as it happens: it is played in
   * step with the device, whatever the two clocks do, and the producer never waits. Otherwise it is queued,
   * and the writer waits for room. @default false
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

/** What a sink's options come to. */
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
