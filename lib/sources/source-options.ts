import type { BackendOption } from '../engine/backend.js';
import { checkSelector, type DeviceSelector } from '../devices/devices.js';
import { patienceOf, type RecoverOptions } from '../devices/device-keeper.js';
import { openOptionNames, type OpenOptions } from '../devices/open-options.js';
import type { ChannelMap } from '../format/channel-map.js';
import type { FormatOptions } from '../format/format.js';
import { chunkOptionNames, type ChunkOptions } from '../streams/chunker.js';
import type { Isolation } from '../isolation/start-child.js';
import { checkFunction, checkObject, checkOneOf, checkOptions, checkString } from '../validate.js';

/** Options of all sources. The format defaults to 48000 Hz, 2 channels, `f32`. */
export interface SourceOptions extends FormatOptions, ChunkOptions, OpenOptions, BackendOption {
  /**
   * The device: an `AudioDevice`, an exact id, an exact name, or a part of a name that no other device has. With
   * `'default'` the stream follows the system's default device. @default 'default'
   */
  device?: DeviceSelector | undefined;
  /**
   * For each channel of the stream the channel of the device, or the gains of the device's channels. Use it to select
   * channels of a device that has more than two. Its length is also the number of channels of the stream.
   * `'attenuated'` is the usual down-mix, so quiet that it never exceeds full scale: integer formats clip a loud 7.1
   * otherwise. A `ProcessSource` does not have this option.
   * @default the usual up- and down-mix of ITU-R BS.775
   */
  channelMap?: ChannelMap | 'attenuated' | undefined;
  /** Ends the stream after exactly this duration, ms. @default the stream does not end by itself */
  durationMs?: number | undefined;
  /**
   * How far each consumer may fall behind before it loses frames, in ms, 20 to 60000.
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
   * 0.7 s in an hour. With `'host'` the audio is resampled inaudibly, so that frame k is what was heard at `startTime` +
   * k / `sampleRate`. Sources with the same `startTime` then stay aligned, as exactly as the system reports the times
   * of their audio. @default 'device'
   */
  clock?: 'device' | 'host' | undefined;
  /**
   * Where the device is held: in a thread of this process, or in a child process. Some drivers fail only in a process
   * that has other devices open. If the child process ends, the stream recovers as from a lost device. `{ fork }` starts
   * the child process in another way than as `process.execPath`. See docs/isolation.md. @default 'thread'
   */
  isolation?: Isolation | undefined;
  /**
   * Whether the stream waits for a lost device to return, and for how long. Meanwhile it delivers silence. With `false`
   * it fails with `ERR_AUDIO_DEVICE_LOST`, and does not follow a changed default. @default true: it waits for one minute
   */
  recover?: boolean | RecoverOptions | undefined;
  /**
   * The longest gap that is filled with silence, ms. If a gap is longer, the stream skips whole seconds instead of
   * filling them: the frame index is contiguous, the times step, and the `discontinuity` has `filled: false`. The usual
   * cause is a machine that sleeps; all sources then skip the same seconds. Silence before the device
   * was open is not a gap. @default 60000
   */
  maxFillMs?: number | undefined;
  /**
   * How long readers wait for late audio beyond the usual delay of the device, in ms, 0 to 10,000. They wait for up to
   * 4 s while the audio server does not answer. A microphone that delivers nothing is waited for without a limit. A
   * link into a device does not wait: it plays silence instead, and only that link loses the late audio. If the system does not report that
   * nothing plays, readers get the silence of an idle loopback this much later.
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
  if (given.device !== undefined) checkSelector(given.device, 'options.device');
  patienceOf(given.recover);
  checkIsolation(given.isolation);
  return given;
}

function checkIsolation(isolation: unknown): void {
  if (isolation === undefined || typeof isolation === 'string') {
    checkOneOf(isolation ?? 'thread', 'options.isolation', ['thread', 'process']);
    return;
  }
  const given = checkOptions<{ fork?: unknown; ffmpeg?: unknown }>(
    checkObject(isolation, 'options.isolation'),
    'isolation',
    ['fork', 'ffmpeg'],
    'options.isolation',
  );
  if (given.ffmpeg === undefined) checkFunction(given.fork, 'options.isolation.fork');
  else checkString(given.ffmpeg, 'options.isolation.ffmpeg');
}
