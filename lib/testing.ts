import { worldHost, type SimulatedBackend } from './engine/backend.js';
import { AudioError, fromNative, type NativeError } from './errors.js';
import { defaultFormat, type AudioFormat } from './format/format.js';
import { native, type NativeHost, type NativeWorld } from './engine/native.js';
import { ManualTimers } from './engine/timers.js';
import { checkInteger, checkNumber, checkOneOf, checkOptions, checkString } from './validate.js';

/** What a simulated microphone hears or a simulated program plays. Frames are exact. */
export type Signal =
  | { type: 'silence' }
  | { type: 'tone'; frequency: number; gain: number; phase: number; channel: number }
  | { type: 'noise'; seed: number; gain: number }
  | { type: 'pcm'; samples: Float32Array; channels: number; loop: boolean }
  | { type: 'sum'; parts: Signal[] };

/**
 * A sine of `gain` (linear, 1: full scale) by the device's own frame counter.
 *
 * @param options `gain` 0.25; `phase` in radians at the device's frame 0, 0; `channel`, all.
 */
export function tone(
  frequency: number,
  options?: { gain?: number; phase?: number; channel?: number },
): Signal {
  checkNumber(frequency, 'frequency', 0, 192_000);
  const { gain = 0.25, phase = 0, channel = -1 } = options ?? {};
  return { type: 'tone', frequency, gain, phase, channel };
}

/** White noise, the same for the same seed. */
export function noise(options?: { seed?: number; gain?: number }): Signal {
  const { seed = 1, gain = 0.25 } = options ?? {};
  return { type: 'noise', seed, gain };
}

/** Interleaved samples at the device's rate. */
export function pcm(
  samples: Float32Array,
  options?: { channels?: number; loop?: boolean },
): Signal {
  const { channels = 1, loop = false } = options ?? {};
  checkInteger(channels, 'options.channels', 1, 32);
  return { type: 'pcm', samples, channels, loop };
}

/** All of them at once. */
export function sum(...parts: Signal[]): Signal {
  return { type: 'sum', parts };
}

/** What the system tells of a device's driver; names and descriptions people can change, these they cannot. */
export interface SimulatedOrigin {
  /** What the driver calls itself, `VB-Audio Virtual Cable`. */
  maker?: string;
  /** `VBAudioVACWDM`. */
  hardwareId?: string;
  /** `VBAudioVACMME`, `snd_aloop`. */
  service?: string;
  /** The same for all ends of one installed device. */
  parent?: string;
  /** Which of a loopback card's devices: `0` and `1` are joined. */
  end?: string;
}

/** A device of a simulated world. */
export interface SimulatedDeviceOptions {
  id: string;
  /** The id, unless given. */
  name?: string;
  flow: 'input' | 'output';
  format?: AudioFormat;
  /** How often it delivers or asks; 10 ms. */
  periodFrames?: number;
  defaultConsole?: boolean;
  defaultCommunications?: boolean;
  /** Above 0 it runs fast. */
  driftPpm?: number;
  /** How long before the world began its counter was 0. */
  phaseMs?: number;
  virtual?: boolean;
  state?: 'active' | 'disabled' | 'notPresent' | 'unplugged';
  /** An output with nothing to play delivers silent packets to its loopbacks, not none. */
  idleSilence?: boolean;
  origin?: SimulatedOrigin;
}

/** An output and the input that hears it, on one clock. */
export interface SimulatedCableOptions {
  renderId: string;
  renderName?: string;
  captureId: string;
  captureName?: string;
  format?: AudioFormat;
  periodFrames?: number;
  driftPpm?: number;
  renderOrigin?: SimulatedOrigin;
  captureOrigin?: SimulatedOrigin;
  /** The system does not say that the two ends are one cable, as Windows does not. */
  hidesPair?: boolean;
}

/** The world. Without devices and cables: `mic`, `speakers`, and `cable-input` to `cable-output`. */
export interface SimulatedAudioOptions {
  devices?: SimulatedDeviceOptions[];
  cables?: SimulatedCableOptions[];
  /** Programs that run from the beginning; {@link SimulatedAudio.addProcess} starts others. */
  processes?: SimulatedProcessOptions[];
  /** `'manual'`: time stands still but for `advance()`. `'real'` is the default. */
  clock?: 'real' | 'manual';
}

/** What a simulated output played. */
export interface Recording {
  /** Interleaved. */
  data: Float32Array;
  format: AudioFormat;
  /** Where a stream that was playing had not delivered. */
  gaps: { frame: number; frames: number }[];
  /** The bound of `record()` was reached. */
  full: boolean;
}

function check(record: NativeError | null): void {
  if (record) throw fromNative(record, check);
}

/**
 * One device of a {@link SimulatedAudio}: what happens to it. Everything takes effect at the world's
 * present instant.
 */
export class SimulatedDevice {
  readonly id: string;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, id: string) {
    this.#world = world;
    this.id = id;
  }

  /** A program plays on an output, or a sound is made before a microphone; one for each program. */
  play(signal: Signal, options?: { program?: string }): this {
    check(this.#world.play(this.id, signal, options?.program ?? ''));
    return this;
  }

  /** Without a program: all of them. */
  stop(program?: string): this {
    check(this.#world.stop(this.id, program));
    return this;
  }

  /** Begins to keep what the output plays, up to `maxMs` (an hour). */
  record(options?: { maxMs?: number; sampleRate?: number }): this {
    const { maxMs = 3_600_000, sampleRate = 48000 } = options ?? {};
    const frames = Math.ceil((maxMs * sampleRate) / 1000);
    check(this.#world.record(this.id, frames));
    return this;
  }

  /** What it played since `record()`. */
  recorded(): Recording {
    const answer = this.#world.recorded(this.id);
    if ('code' in answer) throw fromNative(answer);
    return answer;
  }

  /** It goes; open streams of it wait for its return, see `recover`. */
  unplug(): this {
    return this.#script('unplug');
  }

  plug(): this {
    return this.#script('plug');
  }

  /** It is removed from the system for good. */
  remove(): this {
    return this.#script('removeDevice');
  }

  setState(state: 'active' | 'disabled' | 'notPresent' | 'unplugged'): this {
    return this.#script('setState', state);
  }

  setDefault(role: 'console' | 'communications' = 'console'): this {
    return this.#script('setDefault', role);
  }

  setFormat(format: AudioFormat): this {
    return this.#script('setFormat', format);
  }

  /** From now on it runs that much faster than the host's clock. */
  drift(ppm: number): this {
    return this.#script('drift', ppm);
  }

  /** Opening it is `ERR_AUDIO_PERMISSION_DENIED`. */
  deny(denied = true): this {
    return this.#script('deny', denied);
  }

  /** It goes on delivering, but zeros; its own meter goes on hearing, so streams of it are `dead`. */
  die(dead = true): this {
    return this.#script('die', dead);
  }

  mute(muted = true): this {
    return this.#script('mute', muted);
  }

  /** Linear, 0 to 1. */
  volume(volume: number): this {
    return this.#script('volume', volume);
  }

  /** The system loses the next frames. */
  glitch(frames: number): this {
    return this.#script('glitch', frames);
  }

  /** It delivers nothing until `resume()`. */
  stall(): this {
    return this.#script('stall');
  }

  resume(): this {
    return this.#script('resume');
  }

  /** Its next delivery is late: several packets come at once. */
  late(ms: number): this {
    return this.#script('late', ms);
  }

  /**
   * What it captures in the next `ms`, 10,000 at most, is delivered together at their end, without a loss:
   * as of a sound server that is held up. What it plays is not concerned.
   */
  delay(ms: number): this {
    return this.#script('delay', ms);
  }

  /** Every delivery is late by up to so much. */
  jitter(upToMs: number): this {
    return this.#script('jitter', upToMs);
  }

  /** What is added to its time stamps; null: they are flagged as wrong. */
  stamps(offsetMs: number | null, jitterMs = 0): this {
    return this.#script('stamps', offsetMs, jitterMs);
  }

  #script(verb: string, value?: unknown, second?: unknown): this {
    check(this.#world.script(verb, this.id, value, second));
    return this;
  }
}

/** A program of a simulated world. */
export interface SimulatedProcessOptions {
  /** The next free number from 1000 on, unless given. One that an ended process had may be used again. */
  pid?: number;
  /** The process that started it. */
  parent?: number;
  name: string;
  /** The name, unless given. Parents and children of one path are one application. */
  path?: string;
  displayName?: string;
  /** Its meter moves, and who captures it hears zeros. */
  protected?: boolean;
}

/** One program of a {@link SimulatedAudio}: what it does. */
export class SimulatedProcess {
  readonly pid: number;
  readonly #world: NativeWorld;

  /** @internal */
  constructor(world: NativeWorld, pid: number) {
    this.#world = world;
    this.pid = pid;
  }

  /** One signal on each output; `device` is the id of one. */
  play(signal: Signal, options: { device: string }): this {
    check(this.#world.scriptProcess('play', this.pid, signal, options.device));
    return this;
  }

  stop(options: { device: string }): this {
    check(this.#world.scriptProcess('stop', this.pid, undefined, options.device));
    return this;
  }

  /** All that it plays goes to that output instead. */
  move(device: string): this {
    return this.#script('move', device);
  }

  /** It ends; its number is free. */
  exit(): void {
    this.#script('exit');
  }

  /** Linear, 0 to 1. */
  volume(volume: number): this {
    return this.#script('volume', volume);
  }

  mute(muted = true): this {
    return this.#script('mute', muted);
  }

  /**
   * What it plays in the next `ms`, 10,000 at most, is delivered together at their end, without a loss, to all
   * that capture it.
   */
  delay(ms: number): this {
    return this.#script('delay', ms);
  }

  /** Whether it can be heard apart from the others; its meter moves either way. */
  protect(isProtected = true): this {
    return this.#script('protect', isProtected);
  }

  /** Capturing it is `ERR_AUDIO_PERMISSION_DENIED`. */
  deny(denied = true): this {
    return this.#script('deny', denied);
  }

  #script(verb: string, value?: unknown): this {
    check(this.#world.scriptProcess(verb, this.pid, value));
    return this;
  }
}

/**
 * A scripted audio system for tests of apps: pass it as the `backend` option. Several live side by
 * side.
 *
 * @example
 * await using audio = new SimulatedAudio({ clock: 'manual' });
 * audio.device('mic').play(tone(1000));
 * const mic = new MicSource({ backend: audio });
 * await audio.advance(500);
 */
export class SimulatedAudio implements SimulatedBackend {
  readonly #world: NativeWorld;
  readonly #host: NativeHost;
  readonly #timers: ManualTimers | undefined;
  #advancing: Promise<void> = Promise.resolve();
  #nextPid = 1000;

  /**
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_AUDIO_UNSUPPORTED` for a world that
   *   cannot be, `ERR_AUDIO_NATIVE_LOAD_FAILED`.
   */
  constructor(options?: SimulatedAudioOptions) {
    const given = checkOptions(options, 'SimulatedAudio', [
      'devices',
      'cables',
      'processes',
      'clock',
    ]);
    const { devices, cables, processes, clock = 'real' } = given;
    checkOneOf(clock, 'options.clock', ['real', 'manual']);
    for (const device of devices ?? []) checkString(device.id, 'options.devices.id');
    this.#timers = clock === 'manual' ? new ManualTimers() : undefined;
    this.#world = new (native().World)({
      devices: devices?.map(withFormat),
      cables: cables?.map(withFormat),
      manualClock: clock === 'manual',
    });
    check(this.#world.error());
    this.#host = this[worldHost];
    for (const process of processes ?? []) this.addProcess(process);
  }

  /** @internal A connection for each stream or monitor. */
  get [worldHost](): NativeHost {
    const host = new (native().Host)(this.#world);
    if (this.#timers) host.timers = this.#timers;
    return host;
  }

  /** A device by its id. Unknown ids are `ERR_AUDIO_DEVICE_NOT_FOUND` when it is used. */
  device(id: string): SimulatedDevice {
    return new SimulatedDevice(this.#world, checkString(id, 'id'));
  }

  addDevice(options: SimulatedDeviceOptions): SimulatedDevice {
    check(this.#world.addDevice(withFormat(options)));
    return this.device(options.id);
  }

  addCable(options: SimulatedCableOptions): SimulatedDevice {
    check(this.#world.addCable(withFormat(options)));
    return this.device(options.renderId);
  }

  /** Starts a program. */
  addProcess(options: SimulatedProcessOptions): SimulatedProcess {
    const given = checkOptions(options, 'addProcess', [
      'pid',
      'parent',
      'name',
      'path',
      'displayName',
      'protected',
    ]);
    checkString(given.name, 'options.name');
    const pid = checkInteger(given.pid ?? this.#nextPid++, 'options.pid', 1, 2 ** 32 - 1);
    check(this.#world.addProcess({ ...given, pid }));
    return new SimulatedProcess(this.#world, pid);
  }

  /** What a captured program that plays nothing is: packets of silence, or (false) no packets. */
  processSilence(packets: boolean): void {
    check(this.#world.scriptProcess('idleSilence', 0, packets));
  }

  /** The audio server dies: streams fail, nothing can be opened. */
  serverGone(): void {
    check(this.#world.script('serverGone', ''));
  }

  serverBack(): void {
    check(this.#world.script('serverBack', ''));
  }

  /** The world's clock, ns. */
  now(): bigint {
    return this.#host.now();
  }

  /**
   * Moves the manual clock. Resolves when JavaScript has received everything of that time. What a
   * stream does to get its device back takes none of it.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` with the real clock.
   */
  async advance(ms: number): Promise<void> {
    checkNumber(ms, 'ms', 0, 1e12);
    const timers = this.#manualTimers('advance()');
    await this.#inTurn(() => this.#advance(timers, ms));
  }

  /**
   * The machine sleeps for so long: its clock goes on, nothing else does, as on Windows.
   *
   * @throws as `advance()`.
   */
  async sleep(ms: number): Promise<void> {
    checkNumber(ms, 'ms', 0, 1e12);
    const timers = this.#manualTimers('sleep()');
    await this.#inTurn(async () => {
      await timers.quiet();
      await this.#move(ms, true);
      timers.pass(ms);
      await timers.quiet();
    });
  }

  #manualTimers(caller: string): ManualTimers {
    if (this.#timers) return this.#timers;
    throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${caller} moves the manual clock only`, {
      remedy: "Make the world with clock: 'manual'",
    });
  }

  // One after the other, also when nobody waits for them.
  async #inTurn(move: () => Promise<void>): Promise<void> {
    this.#advancing = this.#advancing.then(move, move);
    this.#advancing.catch(() => {});
    await this.#advancing;
  }

  async #advance(timers: ManualTimers, ms: number): Promise<void> {
    await this.#move(0); // what happened since the clock stood still is known
    for (let left = ms; left > 0;) {
      await timers.quiet();
      const step = Math.min(left, Math.max(0, timers.next()));
      await this.#move(step);
      timers.pass(step);
      left -= step;
    }
    await timers.quiet();
  }

  async #move(ms: number, asleep = false): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const record = this.#world.advance(ms, asleep, resolve);
      if (record) reject(fromNative(record));
    });
    // What streams passed on in callbacks of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Ends the world: its threads end, and streams that are still open lose their devices, as when a server
   * is gone for good. What is done with it afterwards fails with `ERR_AUDIO_BACKEND_UNAVAILABLE`. A world
   * that nobody holds any more ends by itself when it is garbage-collected.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inTurn(() => this.#world.close());
  }
}

function withFormat<T extends { format?: AudioFormat }>(options: T): T & { format: AudioFormat } {
  return { ...options, format: options.format ?? { ...defaultFormat } };
}
