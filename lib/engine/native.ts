import type { DeviceTransport } from './device-transports.js';
import type { ChannelMap } from '../format/channel-map.js';
import type { NativeError } from '../errors.js';
import type { AudioFormat, SampleFormat } from '../format/format.js';
import { loadAddon } from './load-addon.js';
import type { Timers } from './timers.js';

// The exports of the addon. The first use loads it, because importing the package must work on every platform.

/** A device in the engine's list. */
export interface NativeDevice {
  id: string;
  name: string;
  flow: 'input' | 'output';
  state: 'active' | 'disabled' | 'notPresent' | 'unplugged';
  defaultRoles: ('console' | 'communications')[];
  format: AudioFormat;
  virtual: boolean;
  transport: DeviceTransport;
  handsFree: boolean;
  driver?: string;
  /** The other end of a cable: for an output the microphone that carries it, for a microphone its output. */
  peerId?: string;
  /** Whether this process plays to the device, or to the output that it carries. */
  standIn?: true;
  fed: boolean;
  /** The kind of virtual cable that it is an end of, for example `vb-cable`. */
  cable?: string;
  product?: string;
  bus?: string;
  recognisedBy?: string;
  pairedBy?: string;
  /** All candidates for the peer, if it is not known, and for a virtual mixer. */
  possiblePeers: string[];
}

export interface NativeStreamInfo {
  format: AudioFormat;
  periodFrames: number;
  deviceId: string;
  realtime: boolean;
  /** Empty if the thread has real-time priority, and if the system has no such priority. */
  whyNotRealtime: string;
  exclusive: boolean;
  /** The interface that was used, on a system that has several. */
  api?: string;
  /** For each request: true if it was granted, otherwise the reason; '' if it was not made. */
  lowLatency: true | string;
  raw: true | string;
  category: true | string;
  echoReference: true | string;
  /** Whether the system cancels the echo of the microphone. */
  echoCancelled: boolean;
}

/** The options for opening a device. */
export interface NativeOpenOptions {
  exclusive: boolean;
  /** The interface that must be used. */
  api?: string;
  /** The format that the device must have. */
  format?: AudioFormat | undefined;
  lowLatency: boolean;
  raw: boolean;
  category: string;
  /** The id of the output whose sound is the echo that the system cancels. */
  echoReference?: string | undefined;
  /** The name of the microphone at the other end of an output. */
  microphone?: string;
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

/** How loud an output arrives at a program that records the microphone that carries it. */
export interface NativeHearing {
  /** The product of all volumes, linear; 0 if muted. */
  volume: number;
  /** The id of the device with the lowest volume. */
  quietest?: string;
  /** The buses on which a virtual mixer plays the output, if its settings can be read. */
  buses?: string[];
  mixerProblem?: string;
}

/** A process id that is unique in time. */
export interface NativeProcessId {
  pid: number;
  startTime: bigint;
}

export interface NativeProcess extends NativeProcessId {
  /** The root process of the application. */
  root: NativeProcessId;
  /** The ancestors, nearest first. */
  ancestors: NativeProcessId[];
  name: string;
  path: string;
  displayName: string;
  state: 'silent' | 'inactive' | 'active';
  levelDb?: number;
  volume: number;
  muted: boolean;
  devices: string[];
  /** The host and the number that a program in a container reports; absent for processes of this system. */
  origin?: string;
}

/** For each process, the nearest of itself and its ancestors that is listed decides; if none is, `everything` does. */
export interface NativeSelection {
  everything: boolean;
  include: readonly NativeProcessId[];
  exclude: readonly NativeProcessId[];
}

export interface NativeTapEvent {
  type: 'attached' | 'detached' | 'gone' | 'failed' | 'dead' | 'alive';
  process: NativeProcessId;
  deviceId: string;
  time: bigint;
  missedMs: number;
  error?: NativeError;
}

/** The stream that uses a cable: a `VirtualMicSink` or a `VirtualSpeakerSource`. */
export type CableUse = 'microphone' | 'speaker';

export interface NativeHost {
  /** Whether the system can create microphones without a driver. */
  makesCables(): Promise<boolean>;
  /**
   * Claims a cable for one use. Returns false if a stream of this process has claimed it for the other use, unless the
   * claim may be shared.
   */
  claimCable(renderId: string, use: CableUse, isShared: boolean): boolean;
  unclaimCable(renderId: string, use: CableUse): void;
  listDevices(): Promise<NativeDevice[]>;
  /** `inputs`: the processes that capture a microphone, instead of those that play. */
  listProcesses(options: {
    inputs: boolean;
    running: boolean;
    levels: boolean;
  }): Promise<NativeProcess[]>;
  /** The ids of the outputs to which other processes play something now. */
  listPlaying(): Promise<string[]>;
  watchProcesses(callback: () => void): number;
  unwatchProcesses(watch: number): void;
  watch(callback: (() => void) | null): void;
  makeCable(
    name: string,
    format: AudioFormat,
  ): Promise<{ renderId: string; microphone: NativeDevice }>;
  /** Creates an output. Returns its id. */
  makeSpeaker(name: string, format: AudioFormat): Promise<string>;
  /** Removes what `makeCable()` or `makeSpeaker()` has created, by the id of its output. */
  removeMade(outputId: string): Promise<void>;
  /** Moves the sound of processes to the output. Returns those of them that play. */
  moveProcesses(
    processes: readonly NativeProcessId[],
    outputId: string,
  ): Promise<NativeProcessId[]>;
  /** Moves programs that play to a created cable to another output. Returns their names. */
  sendStrangersAway(outputId: string): Promise<string[]>;
  /** Environment variables for a child process; empty if the system has none. */
  childEnvironment(outputId: string, inputId: string): Promise<Record<string, string>>;
  askHearing(renderId: string, microphoneId: string): Promise<NativeHearing>;
  now(): bigint;
  /** The timers of a manual clock. */
  timers?: Timers;
}

interface NativeTimed {
  timeAt(frame: number): bigint | undefined;
  frameAt(time: bigint): number | undefined;
  level(): NativeLevel;
}

export interface NativeSource extends NativeTimed {
  /** Opens a device in place of the present one, which stays open if this fails. */
  open(deviceId: string, periodMs: number, options: NativeOpenOptions): Promise<NativeStreamInfo>;
  /** The same for a device of another process, which has the format. */
  openPushed(
    pushed: NativePushed,
    format: AudioFormat,
    periodMs: number,
  ): Promise<NativeStreamInfo>;
  /** Closes the device. The stream continues with silence. */
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

/** A device that another process holds. Its packets are heard while a source has it open. */
export interface NativePushed {
  /**
   * @param samples null: silence.
   * @param position of the first frame, on the device's own counter.
   * @param time when the first frame was heard, in ns; undefined: unknown.
   */
  packet(
    samples: Uint8Array | null,
    frames: number,
    position: number,
    time: number | undefined,
  ): void;
  /** No packet has come for a while. */
  idle(): void;
  /** The system's state of the device, linear; a `peak` below 0 is not known. */
  state(muted: boolean, volume: number, peak: number): void;
}

export interface NativeTap {
  /**
   * Fills `into`, or a part of it for the last frames, and the label: index of the first frame, its time in ns, flags,
   * and the number of losses to take. Returns the number of frames. 0 means that the chunk is not complete yet; `onData`
   * follows. Undefined means that no frames will follow.
   *
   * @param least reads what there is as soon as so many frames are there, but lost frames and others not together. With
   *   0, `onData` does not follow if there are none.
   * @default as many as fit
   */
  read(into: Uint8Array, least?: number): number | undefined;
  /** Returns the losses of this consumer, each once, after all of its frames have been read. */
  takeLosses(): { frame: number; frames: number }[];
  close(): void;
  stats(): { lostFrames: number };
}

export interface NativeMixer extends NativeTimed {
  /** A mix that has not begun begins with what was heard at `begin`, at most a second ago. */
  startPump(host: NativeHost, begin: bigint): void;
  mixWritten(frames: number): number;
  writtenOut(): boolean;
  finish(): void;
  /** `hole`: silence replaces frames that came too late. */
  takeEvents(): NativeEvent[];
  stats(): Record<string, number>;
  position(): number;
}

/**
 * The kind of a filter and its options: `gain` { gain }, `limiter` { ceiling, truePeak }, `meter`, `normalizer` {
 * targetLufs, maxGainDb }, `convert` { quality, channelMap, dither }, `echo` { referenceChannels, tailMs, suppression,
 * maxWaitMs }.
 */
export type FilterKind = 'convert' | 'echo' | 'gain' | 'limiter' | 'meter' | 'normalizer';

export interface NativeFilter extends NativeTimed {
  /**
   * Processes written bytes, as long as no stream was linked. `reference` has the same number of frames, for an `echo`
   * filter.
   */
  process(bytes: Buffer, reference?: Float32Array): Buffer;
  flush(): Buffer;
  /** Links a live stream. `reference` is that of an `echo` filter. */
  link(
    producer: NativeProducer,
    ends: boolean,
    reference?: NativeProducer,
    referenceBufferFrames?: number,
  ): void;
  unlink(): void;
  /** After a link: outputs the delayed frames, then ends the stream. */
  finish(): void;
  setGain(gain: number, rampFrames: number): void;
  /** Whether an `echo` filter cancels. If not, its microphone's sound passes. */
  setCancelling(cancelling: boolean): void;
  takeEvents(): NativeEvent[];
  stats(): { framesIn: number; framesOut: number; latencyFrames: number };
  report(): object;
}

export type NativeProducer = NativeSource | NativeMixer | NativeFilter;

interface NativeWritable {
  /** Returns the number of frames that were taken. */
  write(bytes: Buffer): number;
  setPending(more: boolean): void;
  end(): void;
  takeEvents(): NativeEvent[];
}

/** How another input lowers an input: linear gains, and frames of the mix. */
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
  /** @param ended its stream has ended, and the input with it. */
  remove(ended: boolean): void;
  /** Its stream has ended, and it waits for another one. */
  stay(): void;
  setGain(gain: number, rampFrames: number): void;
  setPan(pan: number, rampFrames: number): void;
  setMuted(muted: boolean, rampFrames: number): void;
  level(): NativeLevel;
}

/** Counters of a sink that its `stats()` does not return. */
export interface NativeSinkStats {
  frames: number;
  deviceLatencyMs: number;
  /** The delay behind the queue, caused by the resampler and the limiter. */
  heldMs: number;
  /** With a link: how long ago the source heard the frame that is played. */
  lagMs?: number;
  writtenFrames?: number;
  queuedFrames?: number;
  /** The sample rate of the bytes that were written last. */
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
  /** How much audio the device is asked to hold at present. */
  fillMs(): number;
  openWritten(format: AudioFormat, bufferFrames: number, startFrames: number): void;
  /** Opens the queue of a live producer, which is resampled to the clock of the device. */
  openLive(format: AudioFormat, bufferFrames: number): void;
  /** Returns the number of frames for which there was no room. */
  writeLive(bytes: Buffer): number;
  /** Fades the sound out in the next period. Returns the number of ms after which the device has played its buffer. */
  fadeOut(): number;
  /** Fades out, and discards the queue. */
  clear(rampMs: number): void;
  link(producer: NativeProducer, bufferFrames: number, periodsMs: number): void;
  drive(mixer: NativeMixer): void;
  unlink(): void;
  takeError(): NativeError | null;
}

export interface NativeHold {
  release(): void;
}

/** The scripted events of a simulated device, with their arguments. */
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
  // The next two concern all devices.
  serverGone: [];
  serverBack: [];
}

/** The scripted events of a simulated program, with their arguments. */
export interface ProcessScripts {
  play: [signal: object, device: string];
  stop: [signal: undefined, device: string];
  capture: [device: string];
  release: [device: string];
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
  /** Ends the simulation: streams lose their devices, and its threads end. */
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
  /** The names of the backends, in the order in which they are tried if the app names none. */
  backends(): string[];
  /** Keeps the process and `owner` alive until `release()`. */
  Hold: new (owner: object) => NativeHold;
  /** Converts a whole buffer at once. */
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
      channelMap: ChannelMap | 'attenuated' | undefined;
      maxFillMs: number;
      maxWaitMs: number;
    },
    onWake: () => void,
  ) => NativeSource;
  Pushed: new () => NativePushed;
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
      endWhenInputsEnd: boolean;
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
  'Pushed',
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
