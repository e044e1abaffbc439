import type { ChannelMap } from '../format/channel-map.js';
import type { NativeError } from '../errors.js';
import type { AudioFormat, SampleFormat } from '../format/format.js';
import { loadAddon } from './load-addon.js';
import type { Timers } from './timers.js';

// What the addon exports. It is loaded at the first use and not before: importing the package must work on
// every platform.

/** A device as the engine lists it. */
export interface NativeDevice {
  id: string;
  name: string;
  flow: 'input' | 'output';
  state: 'active' | 'disabled' | 'notPresent' | 'unplugged';
  defaultRoles: ('console' | 'communications')[];
  format: AudioFormat;
  virtual: boolean;
  driver?: string;
  /** Where what it plays is heard, or what it hears is played. */
  peerId?: string;
  /** Whether this process plays to it, or to what it hears. */
  fed: boolean;
  /** Of which kind of virtual cable it is an end: `vb-cable`. */
  cable?: string;
  product?: string;
  bus?: string;
  recognisedBy?: string;
  pairedBy?: string;
  /** Where no one peer could be told, and for a virtual mixer: all that it may be. */
  possiblePeers: string[];
}

export interface NativeStreamInfo {
  format: AudioFormat;
  periodFrames: number;
  deviceId: string;
  realtime: boolean;
  /** Empty where it is, and where the system has no such thing. */
  whyNotRealtime: string;
  exclusive: boolean;
  /** Of a wish: true where it was granted, else why not; '' where it was not made. */
  lowLatency: true | string;
  raw: true | string;
  category: true | string;
}

/** How a device is to be opened. */
export interface NativeOpenOptions {
  exclusive: boolean;
  /** A demand: what it is to be given. */
  format?: AudioFormat | undefined;
  lowLatency: boolean;
  raw: boolean;
  category: string;
}

export interface NativeEvent {
  type:
    | 'hole'
    | 'absence'
    | 'leftOut'
    | 'stalled'
    | 'flows'
    | 'ended'
    | 'underrun'
    | 'fill'
    | 'played'
    | 'lowWater'
    | 'inputEnded'
    | 'progress'
    | 'muted'
    | 'unmuted'
    | 'dead'
    | 'alive';
  frame: number;
  frames: number;
}

export interface NativeLevel {
  peakDb: number;
  rmsDb: number;
}

/** What lies between an output and whoever listens to the microphone that carries it. */
export interface NativeHearing {
  /** Linear, of all sliders together; 0: muted. */
  volume: number;
  /** The device whose slider takes most. */
  quietest?: string;
  /** Of a virtual mixer whose settings can be read: on which it is heard. */
  buses?: string[];
  mixerProblem?: string;
}

/** A process and none that has its number before or after it. */
export interface NativeProcessId {
  pid: number;
  startTime: bigint;
}

export interface NativeProcess extends NativeProcessId {
  /** Of the application. */
  root: NativeProcessId;
  /** Nearest first. */
  ancestors: NativeProcessId[];
  name: string;
  path: string;
  displayName: string;
  state: 'silent' | 'inactive' | 'active';
  levelDb?: number;
  volume: number;
  muted: boolean;
  devices: string[];
}

/** Of a process and its ancestors the nearest that is named decides, else `everything`. */
export interface NativeSelection {
  everything: boolean;
  include: readonly NativeProcessId[];
  exclude: readonly NativeProcessId[];
}

export interface NativeTapEvent {
  type: 'attached' | 'detached' | 'gone' | 'failed';
  process: NativeProcessId;
  deviceId: string;
  time: bigint;
  missedMs: number;
  error?: NativeError;
}

export interface NativeHost {
  /** Whether the system makes microphones without a driver. */
  makesCables(): Promise<boolean>;
  listDevices(): Promise<NativeDevice[]>;
  listProcesses(options: { running: boolean; levels: boolean }): Promise<NativeProcess[]>;
  watchProcesses(callback: () => void): number;
  unwatchProcesses(watch: number): void;
  watch(callback: (() => void) | null): void;
  makeCable(
    name: string,
    format: AudioFormat,
  ): Promise<{ renderId: string; microphone: NativeDevice }>;
  /** The id of the output that was made. */
  makeSpeaker(name: string, format: AudioFormat): Promise<string>;
  /** What `makeCable()` or `makeSpeaker()` made, by the id of its output. */
  removeMade(outputId: string): Promise<void>;
  /** Those of the processes that play something; it is moved to the output. */
  moveProcesses(pids: number[], outputId: string): Promise<number[]>;
  /** The names of programs that played to a cable that was made, and were moved to another output. */
  sendStrangersAway(outputId: string): Promise<string[]>;
  /** Variables for a child process; empty where the system has none. */
  childEnvironment(outputId: string, inputId: string): Promise<Record<string, string>>;
  askHearing(renderId: string, microphoneId: string): Promise<NativeHearing>;
  now(): bigint;
  /** Where time is moved by hand, the timers that it moves. */
  timers?: Timers;
}

interface NativeTimed {
  timeAt(frame: number): bigint | undefined;
  frameAt(time: bigint): number | undefined;
  level(): NativeLevel;
}

export interface NativeSource extends NativeTimed {
  /** Again in place of what is open, which goes on when this fails. */
  open(deviceId: string, periodMs: number, options: NativeOpenOptions): Promise<NativeStreamInfo>;
  /** Lets go of the device; the stream goes on as silence. */
  leave(): Promise<void>;
  openProcesses(selection: NativeSelection, periodMs: number): Promise<NativeStreamInfo>;
  selectProcesses(selection: NativeSelection): Promise<void>;
  takeTaps(): NativeTapEvent[];
  close(): Promise<void>;
  takeEvents(): NativeEvent[];
  takeError(): NativeError | null;
  stats(): Record<string, number | boolean>;
  position(): number;
  muted(): boolean;
  setEnabled(enabled: boolean): void;
  stopAt(frame: number): void;
}

export interface NativeTap {
  /**
   * Fills `into`, or as much of it as the last frames need, and the label: index of the first frame, its
   * time in ns, flags, how many losses there are to take. Returns how many frames; 0: not yet, `onData` tells;
   * undefined: there will be none.
   *
   * @param partly takes what is there, however little; then 0 means that there is nothing now.
   */
  read(into: Uint8Array, partly?: boolean): number | undefined;
  /** What this consumer was too slow for, each loss once, as soon as all of it has been read. */
  takeLosses(): { frame: number; frames: number }[];
  close(): void;
  stats(): { lostFrames: number };
}

export interface NativeMixer extends NativeTimed {
  startPump(host: NativeHost): void;
  mixWritten(frames: number): number;
  writtenOut(): boolean;
  finish(): void;
  /** `hole`: silence stands for what came too late. */
  takeEvents(): NativeEvent[];
  stats(): Record<string, number>;
  position(): number;
}

/** What a filter does: `gain` { gain }, `limiter` { ceiling, truePeak }, `meter`, `normalizer` { targetLufs, maxGainDb }, `convert` { quality, channelMap, dither }, `echo` { referenceChannels, tailMs, suppression, maxWaitMs }. */
export type FilterKind = 'convert' | 'echo' | 'gain' | 'limiter' | 'meter' | 'normalizer';

export interface NativeFilter extends NativeTimed {
  /** Of written bytes, while nothing was linked. `reference`: as many frames of an `echo` filter's reference. */
  process(bytes: Buffer, reference?: Float32Array): Buffer;
  flush(): Buffer;
  /** The reference is that of an `echo` filter. */
  link(
    producer: NativeProducer,
    ends: boolean,
    reference?: NativeProducer,
    referenceBufferFrames?: number,
  ): void;
  unlink(): void;
  /** Once linked: what is held back comes out, then the stream ends. */
  finish(): void;
  setGain(gain: number, rampFrames: number): void;
  takeEvents(): NativeEvent[];
  stats(): { framesIn: number; framesOut: number; latencyFrames: number };
  report(): object;
}

export type NativeProducer = NativeSource | NativeMixer | NativeFilter;

interface NativeWritable {
  /** Frames that were taken. */
  write(bytes: Buffer): number;
  setPending(more: boolean): void;
  end(): void;
  takeEvents(): NativeEvent[];
}

/** How an input is lowered by another one: linear gains, frames of the mix. */
export interface NativeDuck {
  by: NativeMixerInput;
  gain: number;
  threshold: number;
  attackFrames: number;
  holdFrames: number;
  releaseFrames: number;
}

export interface NativeMixerInput extends NativeWritable {
  stats(): Record<string, number>;
  link(producer: NativeProducer, bufferFrames: number, channelMap?: ChannelMap): void;
  openWritten(
    format: AudioFormat,
    bufferFrames: number,
    channelMap: ChannelMap | undefined,
    startFillFrames: number,
  ): void;
  unlink(): void;
  remove(): void;
  setGain(gain: number, rampFrames: number): void;
  setPan(pan: number, rampFrames: number): void;
  setMuted(muted: boolean, rampFrames: number): void;
  level(): NativeLevel;
}

/** Counters of a sink, beside those of its `stats()`. */
export interface NativeSinkStats {
  frames: number;
  deviceLatencyMs: number;
  /** What is delayed behind the queue: by the resampler and the limiter. */
  heldMs: number;
  /** Behind a link: how long ago the source heard what is played. */
  lagMs?: number;
  writtenFrames?: number;
  queuedFrames?: number;
  /** Frames per second of what was written last. */
  writtenRate?: number;
}

export interface NativeSink extends NativeWritable, NativeTimed {
  stats(): NativeSinkStats;
  open(
    deviceId: string,
    format: AudioFormat,
    periodMs: number,
    latencyMs: number,
    mostLatencyMs: number,
    options: NativeOpenOptions,
  ): Promise<NativeStreamInfo>;
  leave(): Promise<void>;
  close(): Promise<void>;
  /** What the device is asked to hold now. */
  fillMs(): number;
  openWritten(format: AudioFormat, bufferFrames: number, startFrames: number): void;
  /** Of what a live producer writes, which is held in step with the device. */
  openLive(format: AudioFormat, bufferFrames: number): void;
  /** Frames that there was no room for. */
  writeLive(bytes: Buffer): number;
  /** Ends what sounds with the next period. After how many ms the device will have played what it has by now. */
  fadeOut(): number;
  /** What is queued is faded out and not played. */
  clear(rampMs: number): void;
  link(producer: NativeProducer, bufferFrames: number, periodsMs: number): void;
  drive(mixer: NativeMixer): void;
  unlink(): void;
  takeError(): NativeError | null;
}

export interface NativeHold {
  release(): void;
}

/** What happens to a device of a simulated world, by its name, with the values that it takes. */
export interface DeviceScripts {
  removeDevice: [];
  unplug: [];
  plug: [];
  setState: [state: NativeDevice['state']];
  setDefault: [role: NativeDevice['defaultRoles'][number]];
  setFormat: [format: AudioFormat];
  drift: [ppm: number];
  deny: [denied: boolean];
  die: [dead: boolean];
  mute: [muted: boolean];
  volume: [volume: number];
  glitch: [frames: number];
  stall: [];
  resume: [];
  late: [ms: number];
  delay: [ms: number];
  jitter: [upToMs: number];
  stamps: [offsetMs: number | null, jitterMs: number];
  /** Of all devices. */
  serverGone: [];
  serverBack: [];
}

/** The same for a program. */
export interface ProcessScripts {
  play: [signal: object, device: string];
  stop: [signal: undefined, device: string];
  move: [device: string];
  exit: [];
  volume: [volume: number];
  mute: [muted: boolean];
  delay: [ms: number];
  protect: [isProtected: boolean];
  deny: [denied: boolean];
  idleSilence: [packets: boolean];
}

export interface NativeWorld {
  error(): NativeError | null;
  /** Its streams lose their devices, its threads end. */
  close(): Promise<void>;
  advance(ms: number, asleep: boolean, done: () => void): NativeError | null;
  play(id: string, signal: object, program: string): NativeError | null;
  stop(id: string, program?: string): NativeError | null;
  record(id: string, maxFrames: number): NativeError | null;
  recorded(id: string):
    | {
        data: Float32Array;
        format: AudioFormat;
        gaps: { frame: number; frames: number }[];
        full: boolean;
      }
    | NativeError;
  addDevice(description: object): NativeError | null;
  addCable(description: object): NativeError | null;
  addProcess(description: object): NativeError | null;
  scriptProcess<Verb extends keyof ProcessScripts>(
    verb: Verb,
    pid: number,
    ...values: ProcessScripts[Verb]
  ): NativeError | null;
  script<Verb extends keyof DeviceScripts>(
    verb: Verb,
    id: string,
    ...values: DeviceScripts[Verb]
  ): NativeError | null;
}

export interface Native {
  /** Names, in the order in which they are tried when none is named. */
  backends(): string[];
  /** Keeps the process and `owner` alive until `release()`. */
  Hold: new (owner: object) => NativeHold;
  /** A whole buffer at once. */
  convert(bytes: Uint8Array, from: AudioFormat, to: AudioFormat, options: object): Buffer;
  World: new (options: object) => NativeWorld;
  Host: new (name: string | NativeWorld) => NativeHost;
  Source: new (
    host: NativeHost,
    options: {
      sampleRate: number;
      channels: number;
      loopback: boolean;
      hostClock: boolean;
      startTime: bigint | undefined;
      durationFrames: number;
      channelMap: ChannelMap | undefined;
      maxFillMs: number;
      maxWaitMs: number;
    },
    onWake: () => void,
  ) => NativeSource;
  Tap: new (
    producer: NativeProducer,
    bufferFrames: number,
    sampleFormat: SampleFormat,
    label: Float64Array,
    onData: () => void,
  ) => NativeTap;
  Mixer: new (
    options: {
      sampleRate: number;
      channels: number;
      latencyMs: number;
      maxWaitMs: number;
      limiter: boolean;
      truePeak: boolean;
    },
    onWake: () => void,
  ) => NativeMixer;
  MixerInput: new (
    mixer: NativeMixer,
    onWake: () => void,
    startFrame: number,
    latencyMs: number,
    duck: NativeDuck | undefined,
  ) => NativeMixerInput;
  Sink: new (
    host: NativeHost,
    onWake: () => void,
    normalize: boolean,
    limiter: boolean,
  ) => NativeSink;
  Filter: new (
    kind: FilterKind,
    from: AudioFormat,
    to: AudioFormat,
    options: object,
    onWake: () => void,
  ) => NativeFilter;
}

const functions = [
  'backends',
  'Hold',
  'convert',
  'World',
  'Host',
  'Source',
  'Tap',
  'Mixer',
  'MixerInput',
  'Sink',
  'Filter',
] as const satisfies readonly (keyof Native)[];

let addon: Native | undefined;

/**
 * The addon, loaded at the first call.
 *
 * @throws `ERR_AUDIO_NATIVE_LOAD_FAILED`; the message says why, and what to do about it.
 */
export function native(): Native {
  return (addon ??= loadAddon(functions) as Native);
}
