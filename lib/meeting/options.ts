import type { BackendOption } from '../engine/backend.js';
import { resolveFormat, type AudioFormat, type FormatOptions } from '../format/format.js';
import type { LoopbackOptions } from '../sources/loopback-source.js';
import type { MicOptions } from '../sources/mic-source.js';
import type { ProcessOptions } from '../sources/process-source.js';
import type { SourceOptions } from '../sources/source-options.js';
import {
  checkChunkOptions,
  ChunkPlan,
  chunkOptionNames,
  type ChunkOptions,
} from '../streams/chunker.js';
import {
  checkAbortSignal,
  checkNumber,
  checkObject,
  checkOneOf,
  checkOptions,
  checkString,
  checkTime,
  invalidType,
  invalidValue,
} from '../validate.js';
import type { MeetingEchoOptions } from './feed.js';
import type { SideName } from './mixdown.js';
import { strategies, type Strategy } from './strategies.js';

/** The options that the meeting itself sets for its sources. */
const ownNames = [
  ...chunkOptionNames,
  'sampleRate',
  'channels',
  'sampleFormat',
  'durationMs',
  'bufferMs',
  'startTime',
  'signal',
  'clock',
  'backend',
] as const satisfies readonly (keyof SourceOptions)[];

type OwnName = (typeof ownNames)[number];

/** Options of the microphone of a meeting: those of a {@link MicSource}, except those that the meeting itself sets. */
export type MeetingMicOptions = Omit<MicOptions, OwnName>;

/**
 * Options of the system's side of a meeting: those of a {@link LoopbackSource}, or with `process` those of a
 * {@link ProcessSource}, except those that the meeting itself sets.
 */
export type MeetingSystemOptions = Omit<LoopbackOptions, OwnName> | Omit<ProcessOptions, OwnName>;

/** The sides of a meeting that are heard. */
export type MeetingMode = 'both' | 'mic' | 'system';

/** The gain of each side in the mix, linear, 0 to 16. */
export interface MeetingGains {
  /** The gain of the microphone. @default 1, or the present gain */
  mic?: number | undefined;
  /** The gain of what the system plays. @default 1, or the present gain */
  system?: number | undefined;
}

/** Options of {@link captureMeeting}. */
export interface MeetingOptions extends ChunkOptions, BackendOption {
  /** The microphone; false records none. @default the system's default microphone */
  mic?: MeetingMicOptions | false | undefined;
  /**
   * The source of what the others say: one output (`{ device }`); everything that plays on any output (`'all'`); programs
   * (`{ process }`); everything but some programs (`{ process, mode: 'exclude' }`); or none (false).
   * @default the system's default output
   */
  system?: 'all' | MeetingSystemOptions | false | undefined;
  /** The sides that are heard. {@link Meeting.setMode} changes this. @default 'both' */
  mode?: MeetingMode | undefined;
  /** The gain of each side in the mix. {@link Meeting.setGains} changes it. @default 1 for both */
  gains?: MeetingGains | undefined;
  /** The format of all tracks. @default 16000 Hz, 1 channel, `s16` */
  format?: FormatOptions | undefined;
  /**
   * Whether the mix is the sum of both sides, or a stereo stream with the microphone on the left and the system on the
   * right. With `'stereo'` the track of each side is mono. @default 'mixed'
   */
  tracks?: 'mixed' | 'stereo' | undefined;
  /**
   * Whether to remove what the system plays from the microphone, for a call without headphones, or options for that.
   * See {@link EchoCanceller}. @default false
   */
  echo?: boolean | MeetingEchoOptions | undefined;
  /**
   * The strategies for a dead side. The meeting begins with the first one, and tries the others in their order. `'auto'`
   * means all of them, from `'shared'` on. An empty list means `'shared'` alone.
   * @default 'auto'
   */
  strategy?: 'auto' | readonly Strategy[] | undefined;
  /** The FFmpeg that the strategy `ffmpeg` starts: a path, or a name in `PATH`. @default 'ffmpeg' */
  ffmpegPath?: string | undefined;
  /**
   * The instant of frame 0 of all tracks, in ns of `process.hrtime.bigint()`. Until the devices are open the tracks are
   * silence. @default the moment of the call
   */
  startTime?: bigint | undefined;
  /**
   * How far each reader of a track may fall behind before it loses frames, in ms, 20 to 60000.
   * @default 1000, and 30,000 for a file
   */
  bufferMs?: number | undefined;
  /** Destroys the meeting with an `AbortError`. The normal stop is `close()`. @default none */
  signal?: AbortSignal | undefined;
}

/** The checked options. */
export interface MeetingPlan {
  mic: MeetingMicOptions | undefined;
  system: MeetingSystemOptions | undefined;
  mode: MeetingMode;
  gains: Record<SideName, number>;
  /** The formats of the mix and of a side's track. */
  format: Readonly<AudioFormat>;
  sideFormat: Readonly<AudioFormat>;
  isStereo: boolean;
  echo: MeetingEchoOptions | undefined;
  /** The strategy with which the meeting begins. */
  first: Strategy;
  /** The strategies to try for a dead side. */
  strategies: readonly Strategy[];
  ffmpegPath: string;
  chunks: ChunkPlan;
  startTime: bigint | undefined;
  bufferMs: number | undefined;
  signal: AbortSignal | undefined;
  backend: BackendOption['backend'];
}

/** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
export function checkMeetingOptions(options: MeetingOptions | undefined): MeetingPlan {
  const given = checkOptions(options, 'captureMeeting', [
    ...chunkOptionNames,
    'mic',
    'system',
    'mode',
    'gains',
    'format',
    'tracks',
    'echo',
    'strategy',
    'ffmpegPath',
    'startTime',
    'bufferMs',
    'signal',
    'backend',
  ]);
  const { tracks = 'mixed', ffmpegPath = 'ffmpeg', startTime, bufferMs, signal, backend } = given;
  checkString(ffmpegPath, 'options.ffmpegPath');
  checkOneOf(tracks, 'options.tracks', ['mixed', 'stereo']);
  const isStereo = tracks === 'stereo';
  const format = checkMeetingFormat(given.format, isStereo);
  if (startTime !== undefined) checkTime(startTime, 'options.startTime');
  if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
  if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
  const mic = checkSource(given.mic, 'options.mic');
  const system = checkSource(
    given.system === 'all' ? { process: 0 } : given.system,
    'options.system',
  );
  if (!mic && !system) {
    throw invalidValue('options.system', given.system, 'cannot be false if options.mic is');
  }
  const mode = checkMode(given.mode ?? 'both', 'options.mode', { mic, system });
  const echo = checkEcho(given.echo);
  if (echo && !(mic && system)) {
    throw invalidValue('options.echo', given.echo, 'needs both sides');
  }
  return {
    mic,
    system,
    mode,
    gains: { mic: 1, system: 1, ...checkGains(given.gains ?? {}, 'options.gains') },
    format,
    sideFormat: isStereo ? { ...format, channels: 1 } : format,
    isStereo,
    echo,
    ...checkStrategy(given.strategy),
    ffmpegPath,
    chunks: new ChunkPlan(format.sampleRate, checkChunkOptions(given)),
    startTime,
    bufferMs,
    signal,
    backend,
  };
}

/** The options of both sides with a strategy that does not depend on what is dead. */
export function optionsOf(
  strategy: Strategy,
  { mic, system, ffmpegPath }: MeetingPlan,
): Pick<MeetingPlan, 'mic' | 'system'> {
  const isolation = 'process';
  const ofMic = {
    raw: { raw: true },
    mme: { api: 'mme', shareMode: 'shared' },
    directsound: { api: 'directsound', shareMode: 'shared' },
    'mic-process': { isolation },
    'both-processes': { isolation },
    ffmpeg: { isolation: { ffmpeg: ffmpegPath } },
  } as const;
  const change: MeetingMicOptions | undefined = ofMic[strategy as keyof typeof ofMic];
  return {
    mic: mic && { ...mic, ...change },
    system: strategy === 'both-processes' && system ? { ...system, isolation } : system,
  };
}

/** @throws as {@link checkMeetingOptions}. */
export function checkMode(
  mode: unknown,
  name: string,
  sides: { mic?: unknown; system?: unknown },
): MeetingMode {
  const checked = checkOneOf(mode, name, ['both', 'mic', 'system']);
  if (checked !== 'both' && !sides[checked]) {
    throw invalidValue(name, mode, 'names a side that the meeting does not have');
  }
  return checked;
}

/** The gains that were given. @throws as {@link checkMeetingOptions}. */
export function checkGains(gains: unknown, name: string): Partial<Record<SideName, number>> {
  const given = checkOptions<MeetingGains>(
    checkObject(gains, name),
    'gains',
    ['mic', 'system'],
    name,
  );
  const known = Object.entries(given).filter(([, gain]) => gain !== undefined);
  for (const [side, gain] of known) checkNumber(gain, `${name}.${side}`, 0, 16);
  return Object.fromEntries(known);
}

function checkStrategy(value: unknown): Pick<MeetingPlan, 'first' | 'strategies'> {
  if (value === undefined || value === 'auto') return { first: 'shared', strategies };
  if (!Array.isArray(value)) {
    throw invalidType('options.strategy', "'auto' or an instance of Array", value);
  }
  const checked = value.map((one, k) => checkOneOf(one, `options.strategy[${k}]`, strategies));
  const [first = 'shared'] = checked;
  if (first === 'other-device' || first === 'endpoint') {
    const reason = 'cannot be the first: it takes the place of something that is dead';
    throw invalidValue('options.strategy[0]', first, reason);
  }
  return { first, strategies: checked };
}

function checkMeetingFormat(format: unknown, isStereo: boolean): Readonly<AudioFormat> {
  const usual = { sampleRate: 16_000, channels: isStereo ? 2 : 1, sampleFormat: 's16' } as const;
  if (format === undefined) return usual;
  const given = checkOptions<FormatOptions>(
    checkObject(format, 'options.format'),
    'format',
    ['sampleRate', 'channels', 'sampleFormat'],
    'options.format',
  );
  const { sampleRate, channels, sampleFormat } = resolveFormat(given, usual, 'options.format');
  if (isStereo && channels !== 2) {
    throw invalidValue('options.format.channels', channels, "must be 2 with tracks 'stereo'");
  }
  return { sampleRate, channels, sampleFormat };
}

// The constructor of the source, which captureMeeting() calls, checks the other options.
function checkSource<T extends object>(given: T | false | undefined, name: string): T | undefined {
  if (given === false) return undefined;
  if (given === undefined) return {} as T;
  checkObject(given, name);
  for (const own of ownNames) {
    const value = (given as Record<string, unknown>)[own];
    if (value === undefined) continue;
    throw invalidValue(`${name}.${own}`, value, 'is an option of the meeting, not of one side');
  }
  return given;
}

function checkEcho(echo: unknown): MeetingEchoOptions | undefined {
  if (echo === undefined || echo === false) return undefined;
  if (echo === true) return {};
  if (typeof echo !== 'object' || echo === null) {
    throw invalidType('options.echo', 'of type boolean or object', echo);
  }
  return checkOptions<MeetingEchoOptions>(
    checkObject(echo, 'options.echo'),
    'echo',
    ['suppression', 'tailMs', 'referenceChannels'],
    'options.echo',
  );
}

/** @throws as {@link checkMeetingOptions}. */
export function checkRampMs(options: unknown, name: string): number {
  const { rampMs = 10 } = checkOptions(options as { rampMs?: number } | undefined, name, [
    'rampMs',
  ]);
  return checkNumber(rampMs, 'options.rampMs', 0, 60_000);
}
