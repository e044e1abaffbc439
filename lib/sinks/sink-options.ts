import type { BackendOption } from '../engine/backend.js';
import { patienceOf, type RecoverOptions } from '../devices/device-keeper.js';
import { checkSelector, type DeviceSelector } from '../devices/devices.js';
import type { AudioFormat } from '../format/format.js';
import { openOptionNames, type OpenOptions } from '../devices/open-options.js';
import { checkBoolean, checkOptions } from '../validate.js';

/** Options that all sinks have. */
export interface SinkOptions extends OpenOptions, BackendOption {
  /** An output: an `AudioDevice`, an exact id or name, or a part of only one name. */
  device?: DeviceSelector | undefined;
  /** Of the bytes written, where no stream of this package is piped in. */
  format?: AudioFormat | undefined;
  /** Fill held between the engine and the device; 15. */
  latencyMs?: number | undefined;
  /** What may be written ahead, and what a linked stream may run ahead; 500. */
  bufferMs?: number | undefined;
  /** Lets the graph hear itself. */
  allowFeedback?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /**
   * A demand: the format in which the device is opened, else `ERR_AUDIO_FORMAT_UNSUPPORTED`. Windows'
   * audio engine takes the one chosen in the device's properties; `shareMode: 'exclusive'` asks its
   * driver; a microphone that is made is made with it. What is played is converted either way. The
   * device's own unless given.
   */
  deviceFormat?: AudioFormat | undefined;
  /** Brings what is played to the loudness of speech, as {@link LoudnessNormalizer} does; false. */
  normalize?: boolean | undefined;
  /** Nothing above -0.1 dBFS gets to the device, so that nothing clips; false. */
  limiter?: boolean | undefined;
  /**
   * Whether a device that goes is waited for, and for how long; true, a minute. Meanwhile what is to be
   * played is thrown away at its pace. False: its end is `ERR_AUDIO_DEVICE_LOST`, and a changed default
   * is not followed.
   */
  recover?: boolean | RecoverOptions | undefined;
  /**
   * What is written comes from a live producer that is not ours, as it happens: it is played in step with
   * the device, whatever the two clocks do, and never waited for. False: it is queued, and the writer
   * waits for room.
   */
  live?: boolean | undefined;
}

/** @internal */
export function checkSinkOptions<T extends SinkOptions>(
  options: T | undefined,
  owner: string,
  names: readonly (keyof T & string)[] = [],
): T {
  const known: readonly (keyof SinkOptions)[] = [
    'device',
    'format',
    'latencyMs',
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
  for (const name of ['normalize', 'limiter', 'live'] as const) {
    if (given[name] !== undefined) checkBoolean(given[name], `options.${name}`);
  }
  patienceOf(given.recover);
  return given;
}
