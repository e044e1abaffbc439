import type { NativeOpenOptions, NativeStreamInfo } from '../engine/native.js';
import { checkBoolean, checkOneOf, checkString, invalidType, unsupported } from '../validate.js';
import type { AudioDevice } from './devices.js';

/** Options of sources and sinks for opening their device. */
export interface OpenOptions {
  /**
   * With `'exclusive'` no other program can use the device, and the stream uses a format and a period of the driver. Only
   * WASAPI supports this. On other systems the stream fails with `ERR_AUDIO_UNSUPPORTED`. While another program uses the
   * device, it fails with `ERR_AUDIO_DEVICE_BUSY`. @default 'shared'
   */
  shareMode?: 'shared' | 'exclusive' | undefined;
  /**
   * Whether to request the shortest period of the device, which costs more processor time. The sound is never later
   * than without this option: the margin of a sink for threads that wake late stays the same. `granted` says whether
   * the period is shorter than the usual one, and if not, why. If a source then loses audio 5 times within 10 s, it
   * opens its device with the usual period. @default false
   */
  lowLatency?: boolean | undefined;
}

/**
 * The purpose of a stream, for systems that treat streams by their purpose.
 *
 * - `'communications'`: calls. On Windows it enables the driver's echo cancellation, noise suppression and gain control.
 * - `'speech'`: speech recognition.
 */
export type StreamCategory = 'communications' | 'media' | 'speech' | 'other';

/**
 * The interface of Windows through which a microphone is recorded.
 *
 * - `'wasapi'`: the present one. Without this option it is used.
 * - `'mme'` and `'directsound'`: the older ones, for drivers that deliver only zeros through WASAPI. They report no
 *   timestamps: the time of a frame is the time at which it arrived, which is later by the delay of the system.
 */
export type MicApi = (typeof micApis)[number];

const micApis = ['wasapi', 'mme', 'directsound'] as const;

/** Further requests for a microphone. The system may not grant them. */
export interface MicWishes {
  /** Whether to request audio without the microphone effects of the system and the driver. @default false */
  raw?: boolean | undefined;
  /** The purpose of the stream. @default 'other' */
  category?: StreamCategory | undefined;
  /**
   * The output whose echo the system's own canceller removes from the microphone, or its id. It concerns Windows 11
   * (22H2) with `category: 'communications'`, and a microphone whose driver has such a canceller. On other systems the
   * request is not granted. @default the system chooses
   */
  echoReference?: AudioDevice | string | undefined;
}

/** How a device was opened, and which requests were granted. */
export interface Granted {
  /** Whether other programs can use the device. */
  shareMode: 'shared' | 'exclusive';
  /** The interface that is used. Only on Windows. */
  api?: MicApi;
  /** Whether the period is shorter than the usual one. */
  lowLatency: boolean;
  /** Whether the audio of the microphone is without effects. */
  raw: boolean;
  /** The purpose by which the system treats the stream. */
  category: StreamCategory;
  /**
   * Whether the system cancels the echo of the microphone. If so, an `EchoCanceller` passes its audio on unchanged. True
   * on Windows 11 if the canceller of the driver or of Windows processes the stream, which usually needs
   * `category: 'communications'`; on PulseAudio and PipeWire for the microphone of a `module-echo-cancel`. Earlier
   * versions of Windows do not report it.
   */
  echoCancellation: boolean;
  /**
   * Whether the thread that serves the device has real-time priority. On Linux users with `RLIMIT_RTPRIO` get it, and
   * others get it from RealtimeKit if that runs.
   */
  realtime: boolean;
  /** Why requests were not granted, and why there is no real-time priority. */
  reasons: {
    lowLatency?: string;
    raw?: string;
    category?: string;
    echoReference?: string;
    realtime?: string;
  };
}

export const openOptionNames = ['shareMode', 'lowLatency'] as const;

export function checkOpenOptions(
  given: OpenOptions & MicWishes & { api?: MicApi | undefined },
): NativeOpenOptions {
  const api = checkMicApi(given.api);
  const { shareMode = 'shared', lowLatency = false, raw = false, category = 'other' } = given;
  checkOneOf(shareMode, 'options.shareMode', ['shared', 'exclusive']);
  checkBoolean(lowLatency, 'options.lowLatency');
  checkBoolean(raw, 'options.raw');
  checkOneOf(category, 'options.category', ['communications', 'media', 'speech', 'other']);
  const echoReference = checkEchoReference(given.echoReference);
  const wishes = { lowLatency, raw, category, echoReference };
  return { exclusive: shareMode === 'exclusive', ...(api && { api }), ...wishes };
}

function checkMicApi(api: unknown): MicApi | undefined {
  if (api === undefined) return undefined;
  const known = micApis.find((one) => one === checkString(api, 'options.api'));
  if (known) return known;
  const names = micApis.map((one) => `'${one}'`).join(', ');
  throw unsupported(
    "MicSource's option api",
    `there is no interface '${api as string}'`,
    `use one of ${names}, or leave api out`,
  );
}

function checkEchoReference(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string') return checkString(given, 'options.echoReference');
  const { id, flow } = (given ?? {}) as Partial<AudioDevice>;
  if (typeof id === 'string' && flow === 'output') return id;
  throw invalidType('options.echoReference', 'an output, or its id', given);
}

/** The requested period of the device, in ms. */
export function periodOf(options: NativeOpenOptions): number {
  return options.lowLatency ? 2.5 : 10;
}

/** @param whyNotShort why a stream that had the shortest period has the usual one now. */
export function toGranted(
  options: NativeOpenOptions,
  info: NativeStreamInfo,
  whyNotShort?: string,
): Granted {
  const { exclusive, api, lowLatency, raw, category, realtime, whyNotRealtime } = info;
  const { echoReference, echoCancelled } = info;
  // A stream of processes has no device that could grant requests.
  const none = 'this kind of stream has no such choice';
  const wishes = {
    lowLatency: options.lowLatency ? lowLatency === true || whyNotShort || lowLatency || none : '',
    raw: options.raw ? raw || none : '',
    category: options.category === 'other' ? '' : category || none,
    echoReference: options.echoReference === undefined ? '' : echoReference || none,
    realtime: whyNotRealtime,
  };
  return {
    shareMode: exclusive ? 'exclusive' : 'shared',
    ...(api && { api: api as MicApi }),
    lowLatency: lowLatency === true,
    raw: raw === true,
    category: category === true ? (options.category as StreamCategory) : 'other',
    echoCancellation: echoCancelled,
    realtime,
    reasons: Object.fromEntries(
      Object.entries(wishes).filter(([, wish]) => typeof wish === 'string' && wish !== ''),
    ),
  };
}
