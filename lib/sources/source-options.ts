import type { BackendOption } from '../engine/backend.js';
import { checkSelector, type DeviceSelector } from '../devices/devices.js';
import { patienceOf, type RecoverOptions } from '../devices/device-keeper.js';
import { openOptionNames, type OpenOptions } from '../devices/open-options.js';
import type { ChannelMap } from '../format/channel-map.js';
import type { FormatOptions } from '../format/format.js';
import { chunkOptionNames, type ChunkOptions } from '../streams/chunker.js';
import { checkOptions, unsupported } from '../validate.js';

/** Options that all sources have. The format defaults to 48000 Hz, 2 channels, `f32`. */
export interface SourceOptions extends FormatOptions, ChunkOptions, OpenOptions, BackendOption {
  /**
   * An `AudioDevice`, which pins it; an exact id, an exact name, or a part of only one name;
   * `'default'`, which follows the system's default. @default 'default'
   */
  device?: DeviceSelector | undefined;
  /**
   * The device's channel, or the gains of its channels, for each channel of the stream: those of a device with more
   * than two are chosen so. It also says how many channels the stream has. Not of a `ProcessSource`.
   * @default the usual up- and down-mix of ITU-R BS.775
   */
  channelMap?: ChannelMap | undefined;
  /** Ends the stream after exactly this duration, ms. @default the stream does not end by itself */
  durationMs?: number | undefined;
  /**
   * Milliseconds that each consumer may fall behind before it loses frames, 20 to 60,000.
   *
   * @default 1000, and 30,000 for a file that this stream is piped into (`WavWriter`, `fs.WriteStream`)
   */
  bufferMs?: number | undefined;
  /**
   * The instant of frame 0 on the clock of `process.hrtime.bigint()`. If it has passed, the stream is silence
   * from then until the device is open. If it is in the future, frame 0 is what is heard at that time.
   * @default the moment of construction
   */
  startTime?: bigint | undefined;
  /** Destroys the stream with an `AbortError`. The normal stop is `close()`. @default none */
  signal?: AbortSignal | undefined;
  /**
   * Which clock defines a second: the device's, or the host's. The clocks of two devices differ by up to
   * 0.7 s in an hour. With `'host'` the audio is resampled, never by a step that could be heard, so that
   * frame k is what was heard at `startTime` + k / `sampleRate`: sources of the same `startTime` are
   * aligned to the frame for ever. @default 'device'
   */
  clock?: 'device' | 'host' | undefined;
  /** Only `'thread'` so far. @default 'thread' */
  isolation?: 'thread' | 'process' | undefined;
  /**
   * Whether the stream waits for a device that goes, and for how long. Meanwhile it is silence. With `false`
   * it fails with `ERR_AUDIO_DEVICE_LOST`, and does not follow a changed default. @default true: a minute
   */
  recover?: boolean | RecoverOptions | undefined;
  /**
   * The longest hole that is filled with silence, ms. If a hole is longer, the stream skips whole seconds
   * instead of filling them: frames go on being counted, their times step, and a `discontinuity` has `filled:
   * false`. That is the machine's sleep, above all, and all sources skip the same. Silence before the device
   * was open is no hole. @default 60000
   */
  maxFillMs?: number | undefined;
  /**
   * How long readers wait for audio that is late, in ms, beyond the usual delay of the device. Only a link into a
   * device does not wait: it plays silence instead, and only that link loses the late audio. If the system does not
   * report that nothing plays, the silence of an idle loopback is read so much later.
   * @default 500
   */
  maxWaitMs?: number | undefined;
}

export const sourceOptionNames = [
  ...chunkOptionNames,
  'sampleRate',
  'channels',
  'sampleFormat',
  'device',
  'channelMap',
  'durationMs',
  'bufferMs',
  'startTime',
  'signal',
  'clock',
  ...openOptionNames,
  'isolation',
  'recover',
  'maxFillMs',
  'maxWaitMs',
  'backend',
] as const;

/** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_AUDIO_UNSUPPORTED`. */
export function checkSourceOptions<T extends SourceOptions>(
  options: T | undefined,
  owner: string,
  names: readonly (keyof T & string)[] = [],
): T {
  const given = checkOptions<T>(options, owner, [
    ...(sourceOptionNames as readonly (keyof T & string)[]),
    ...names,
  ]);
  const later = (name: keyof T & string, built: unknown): void => {
    if (given[name] !== undefined && given[name] !== built) {
      throw unsupported(`${owner}'s option ${name}`, 'this version does not have it yet');
    }
  };
  later('isolation', 'thread');
  if (given.device !== undefined) checkSelector(given.device, 'options.device');
  patienceOf(given.recover);
  return given;
}
