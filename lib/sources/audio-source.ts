import { addAbortSignal } from 'node:stream';

import { AudioReadable } from '../streams/audio-readable.js';
import { callListeners } from '../engine/call-listeners.js';
import { openBackend } from '../engine/backend.js';
import { checkChunkOptions, ChunkPlan } from '../streams/chunker.js';
import {
  closed,
  closing,
  deliverError,
  opened,
  rejectsWith,
  whenClosed,
} from '../streams/closing.js';
import { Deferred } from '../engine/deferred.js';
import {
  DeviceKeeper,
  shortly,
  type DeviceEvents,
  type DeviceSearch,
} from '../devices/device-keeper.js';
import {
  askDevices,
  checkSelector,
  reselectDevice,
  selectDevice,
  toPublic,
  type AudioDevice,
  type DeviceSelector,
} from '../devices/devices.js';
import type { Opened } from '../devices/opened.js';
import { AudioError, closedEarly, fromNative, type NativeError } from '../errors.js';
import { checkChannelMap, checkRows, mappedChannels } from '../format/channel-map.js';
import { resolveFormat } from '../format/format.js';
import { FfmpegCapture, whyNoFfmpeg } from '../isolation/ffmpeg-capture.js';
import { IsolatedCapture, type IsolatedDevice } from '../isolation/isolated-capture.js';
import type { ForkFunction, Isolation } from '../isolation/start-child.js';
import { KeepAlive } from '../engine/keep-alive.js';
import { streamKind } from '../streams/links.js';
import {
  native,
  type NativeDevice,
  type NativeEvent,
  type NativeHost,
  type NativeOpenOptions,
  type NativeSelection,
  type NativeSource,
  type NativeStreamInfo,
  type NativeTap,
  type NativeTapEvent,
} from '../engine/native.js';
import {
  checkOpenOptions,
  periodOf,
  toGranted,
  type Granted,
  type MicApi,
  type MicWishes,
} from '../devices/open-options.js';
import type { Discontinuity } from '../streams/outlet.js';
import { TimeSteps } from '../streams/time-steps.js';
import { timersOf } from '../engine/timers.js';
import {
  checkAbortSignal,
  checkFrame,
  checkTime,
  checkNumber,
  checkOneOf,
  invalidType,
  unsupported,
} from '../validate.js';
import { commonEnd, joinEnds, type Ending } from './common-end.js';
import { ShortPeriod } from './short-period.js';
import type { SourceOptions } from './source-options.js';
import type { DeadEvidence, SourceEvents, SourceStats } from './source-reports.js';

const levelMs = 100;
// How many ms of frames a child process collects for files.
const collectMs = 100;
// Captures of programs have no shorter period.
const programPeriodMs = 10;
const evidences: readonly DeadEvidence[] = ['zeros', 'no-packets'];

/** The device or the programs on which a source is opened. */
export interface SourceTarget {
  id: string;
  /** Undefined if the target is not a device. */
  device?: NativeDevice | undefined;
  /** Removes the device that was created for the stream. */
  release?: () => Promise<void>;
}

/** Whether the stream is a source, also one of the package's other build, for which `instanceof` fails. */
export function isSource(stream: object): stream is AudioSource {
  return (stream as { [streamKind]?: unknown })[streamKind] === 'source';
}

/**
 * The base class of sources. A source delivers the sound of a device or of programs. The stream is contiguous from the
 * moment of construction, and every frame has a time. If frames are lost, silence of the same length replaces them; the
 * stream counts them and emits `discontinuity`.
 */
export abstract class AudioSource<
  Events extends SourceEvents = SourceEvents,
> extends AudioReadable<Events> {
  /** @internal */
  readonly [streamKind] = 'source';
  readonly live = true;
  readonly #ready = rejectsWith(this, new Deferred<this>());
  /** Resolves when the device is open. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #host: NativeHost;
  readonly #native: NativeSource;
  readonly #flow: 'input' | 'output';
  readonly #ending: Ending = {
    reached: () => {
      const frames = this.#native.position();
      return frames === 0 ? undefined : this.timeAt(frames);
    },
  };
  readonly #leaveEnds: () => void;
  readonly #keeper: DeviceKeeper<SourceTarget>;
  readonly #keepAlive = new KeepAlive(this);
  readonly #openOptions: NativeOpenOptions;
  readonly #shortPeriod = new ShortPeriod();
  readonly #steps = new TimeSteps();
  readonly #isolation: Isolation;
  readonly #maxWaitMs: number;
  readonly #backend: string | undefined;
  /** The child process that holds the device; undefined if this process does. */
  #isolated: IsolatedDevice | undefined;
  #info: NativeStreamInfo | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #enabled = true;
  #showing = false;

  /** @internal */
  constructor(
    given: SourceOptions & MicWishes & { api?: MicApi | undefined },
    flow: 'input' | 'output',
  ) {
    const { channelMap } = given;
    const isMap = channelMap !== undefined && channelMap !== 'attenuated';
    if (isMap) checkRows(channelMap, 'options.channelMap');
    const channels = given.channels ?? mappedChannels(channelMap);
    const format = resolveFormat({ ...given, channels });
    if (isMap) checkChannelMap(channelMap, 'options.channelMap', format.channels);
    const plan = new ChunkPlan(format.sampleRate, checkChunkOptions(given));
    const { durationMs, startTime, signal, bufferMs, device = 'default' } = given;
    const { clock = 'device', maxFillMs = 60_000, maxWaitMs = 500 } = given;
    checkOneOf(clock, 'options.clock', ['device', 'host']);
    if (durationMs !== undefined) checkNumber(durationMs, 'options.durationMs', 1, 1e12);
    if (bufferMs !== undefined) checkNumber(bufferMs, 'options.bufferMs', 20, 60_000);
    checkNumber(maxFillMs, 'options.maxFillMs', 1000, 1e9);
    checkNumber(maxWaitMs, 'options.maxWaitMs', 0, 10_000);
    if (startTime !== undefined) checkTime(startTime, 'options.startTime');
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    const openOptions = checkOpenOptions(given);
    if (flow === 'output' && openOptions.exclusive) {
      const reason = 'it records a device that programs share';
      throw unsupported("shareMode 'exclusive' of a loopback", reason, 'Leave the option out');
    }
    const { isolation = 'thread', backend } = given;
    if (isolation !== 'thread' && typeof backend === 'object') {
      const reason = 'a child process has no access to a simulation of this process';
      throw unsupported("isolation 'process' with a SimulatedAudio", reason);
    }
    if (typeof isolation === 'object' && 'ffmpeg' in isolation && flow === 'output') {
      const reason = 'FFmpeg records microphones only';
      throw unsupported('isolation { ffmpeg } of this source', reason, "Use isolation: 'process'");
    }
    const host = openBackend(given);
    super({ format, plan, bufferMs });
    this.#host = host;
    this.#isolation = isolation;
    this.#maxWaitMs = maxWaitMs;
    this.#backend = typeof backend === 'string' ? backend : undefined;
    this.#openOptions = openOptions;
    this.#native = new (native().Source)(
      host,
      {
        sampleRate: format.sampleRate,
        channels: format.channels,
        loopback: flow === 'output',
        hostClock: clock === 'host',
        startTime,
        maxFillMs,
        maxWaitMs,
        channelMap,
        durationFrames: Math.round(((durationMs ?? 0) * format.sampleRate) / 1000),
      },
      () => this.enter(() => this.#attend()),
    );
    this.#flow = flow;
    this.#leaveEnds = joinEnds(host, this.#ending);
    this.#keeper = new DeviceKeeper<SourceTarget>(
      {
        host,
        find: (search) => this.findTarget(search),
        same: (a, b) => a.id === b.id,
        open: async (target) => {
          this.#info = await this.openTarget(target);
        },
        leave: async () => {
          await this.#native.leave();
          await this.#isolated?.close();
        },
        release: (target) => Promise.resolve(target.release?.()).catch(() => {}),
        device: ({ device }) => device && toPublic(device),
        emit: (event, ...values) =>
          queueMicrotask(() =>
            this.#emitter.emit(event as 'rebuild', ...(values as DeviceEvents['rebuild'])),
          ),
        fail: (error) => this.destroy(error),
      },
      device,
      given.recover,
    );
    if (signal) addAbortSignal(signal, this);
    this.#emitter.on('newListener', (name) => {
      if (name === 'level') this.#showLevel();
    });
  }

  /**
   * Constructs a stream and resolves with it when its device is open. Rejects if the device cannot be opened. In that
   * case the stream is closed.
   *
   * @throws the same errors as the constructor.
   * @example
   * const mic = await MicSource.open({ channels: 1 });
   */
  static open<T extends AudioSource, Arguments extends unknown[]>(
    this: new (...options: Arguments) => T,
    ...options: Arguments
  ): Promise<Opened<T>> {
    return opened(new this(...options));
  }

  // The type of the events that a subclass adds is not known here.
  get #emitter(): AudioSource {
    return this;
  }

  /** @internal */
  get producer(): NativeSource {
    return this.#native;
  }

  /** @internal The audio system of the stream. */
  get host(): NativeHost {
    return this.#host;
  }

  /** The device that the source records, or has recorded until it was lost; undefined until `ready`. */
  get device(): AudioDevice | undefined {
    const device = this.#info && this.#keeper.current?.device;
    return device && toPublic(device);
  }

  /** How the device was opened, and why a request was not granted; undefined until `ready`. */
  get granted(): Readonly<Granted> | undefined {
    return this.#info && toGranted(this.#openOptions, this.#info, this.#shortPeriod.whyNot);
  }

  /**
   * If false, the stream delivers silence instead of sound, like a disabled MediaStreamTrack. It fades within 3 ms.
   * @default true
   */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    this.#enabled = Boolean(enabled);
    this.#native.setEnabled(this.#enabled);
  }

  /** Whether the system mutes the device, or all captured programs; false until that is known. */
  get muted(): boolean {
    return this.#native.muted();
  }

  /**
   * Changes to another device, or with `'default'` to the system's default device. The timeline continues. If audio is
   * missing between the two devices, silence replaces it, and the stream emits `discontinuity`. If the change fails, the
   * stream stays on its device. Rejects with `ERR_AUDIO_DEVICE_NOT_FOUND`, and with the errors of opening a device.
   */
  async setDevice(device: DeviceSelector): Promise<void> {
    checkSelector(device, 'device');
    await this.ready;
    if (this.#closing) throw closed('setDevice()');
    await this.#keeper.change(device);
  }

  /**
   * When a frame was heard, in ns of `process.hrtime.bigint()`. With `clock: 'host'` the time of a frame never changes.
   * It is `startTime` + `frame` / `sampleRate`, plus the time that the machine slept before that frame.
   */
  timeAt(frame: number): bigint {
    checkFrame(frame, 'frame');
    return (this.#native.timeAt(frame) as bigint) - this.#steps.after(frame);
  }

  /**
   * The frame that was heard at a time. The result has a fraction if the time lies between two frames.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  frameAt(time: bigint): number {
    checkTime(time, 'time');
    return this.#steps.frameAt(time, (at) => this.#native.frameAt(at) as number);
  }

  stats(): Readonly<SourceStats> {
    return {
      ...(this.#native.stats() as unknown as Omit<SourceStats, 'readerLostFrames' | 'link'>),
      readerLostFrames: this.lostByReader(),
      link: this.linkStats(),
    };
  }

  /**
   * Ends the stream after a number of frames, or at an instant (ns of `process.hrtime.bigint()`). The last call wins.
   *
   * Streams that are asked for the same instant end at the same instant: with `clock: 'host'` and the same `startTime`
   * their files are equal to the frame. Frames that were delivered are not taken back, and the audio of an output is
   * delivered before it is heard. An instant that is not at least 50 ms ahead of the present, and of all that an open
   * source has delivered, is therefore moved to there. A stream that has already delivered more than the given number of
   * frames ends at once.
   *
   * @returns the number of frames after which the stream ends, unless it has already delivered more.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   * @example
   * const now = process.hrtime.bigint();
   * for (const source of [mic, loopback]) source.stopAt(now);
   */
  stopAt(at: number | bigint): number {
    if (typeof at !== 'bigint' && typeof at !== 'number') {
      throw invalidType('at', 'of type number or bigint', at);
    }
    const exact =
      typeof at === 'bigint'
        ? this.frameAt(commonEnd(this.#host, checkTime(at, 'at')))
        : checkFrame(at, 'at');
    const frame = Math.max(0, Math.round(exact));
    this.#native.stopAt(frame);
    return frame;
  }

  /** The interval at which the device delivers audio, in ms; undefined until `ready`. */
  get periodMs(): number | undefined {
    return this.#info && (this.#info.periodFrames * 1000) / this.#info.format.sampleRate;
  }

  /**
   * Releases the device. Audio that was already captured stays readable up to `end`. If nothing reads the stream, it is
   * discarded. Resolves when the device is released and the stream has closed. If destinations of `pipe()` read nothing
   * for a second, they receive the rest at once, without backpressure. `close()` does not wait for a reader that has
   * paused: the stream closes when that reader has read the rest.
   */
  close(): Promise<void> {
    if (this.destroyed) return whenClosed(this);
    return closing(this, async () => {
      await (this.#closing ??= this.#stop());
      await this.untilTaken();
    });
  }

  ref(): this {
    this.#keepAlive.ref();
    return this;
  }

  unref(): this {
    this.#keepAlive.unref();
    return this;
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#keepAlive.open();
    this.#opening = this.#open().catch((error: Error) => {
      this.#ready.reject(error);
      this.destroy(error);
    });
    // Node may read before the device is open, so that a reader gets the timeline from frame 0.
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.releaseConsumers();
    this.#leaveEnds();
    deliverError(this, error);
    const settle = (failure?: Error): void => {
      this.#ready.reject(error ?? closedEarly('The source was closed before its device was open'));
      this.#keepAlive.release();
      done(error ?? failure ?? null);
    };
    (this.#closing ??= this.#stop()).then(() => settle(), settle);
  }

  /** @internal The device to record. */
  protected async findTarget({
    selector,
    previous,
  }: DeviceSearch<SourceTarget>): Promise<SourceTarget> {
    const devices = await askDevices(this.#host);
    const device = previous?.device
      ? reselectDevice(devices, selector, previous.device)
      : selectDevice(devices, selector, this.#flow);
    return { id: device.id, device };
  }

  /** @internal Opens a target in place of the present one. */
  protected async openTarget({ id, device }: SourceTarget): Promise<NativeStreamInfo> {
    try {
      if (this.isIsolated) return await this.openIsolated(id, device);
      const lowLatency = this.#openOptions.lowLatency && this.#shortPeriod.whyNot === undefined;
      const options = { ...this.#openOptions, lowLatency };
      return await this.#native.open(id, periodOf(options), options);
    } catch (record) {
      if (record instanceof AudioError) throw record;
      throw fromNative(record as NativeError);
    }
  }

  /** @internal Captures programs in place of what is captured at present. */
  protected async openPrograms(selection: NativeSelection): Promise<NativeStreamInfo> {
    try {
      if (this.isIsolated) return await this.openIsolated('', undefined, selection);
      return await this.#native.openProcesses(selection, programPeriodMs);
    } catch (record) {
      if (record instanceof AudioError) throw record;
      throw fromNative(record as NativeError);
    }
  }

  /** @internal Whether a child process holds the device. */
  protected get isIsolated(): boolean {
    return this.#isolation !== 'thread';
  }

  /** @internal The child process that holds the device; undefined if this process does. */
  protected get isolated(): IsolatedDevice | undefined {
    return this.#isolated;
  }

  /** @internal Opens a device, or programs, in a child process, which is another one each time. */
  protected async openIsolated(
    id: string,
    device?: NativeDevice,
    programs?: NativeSelection,
  ): Promise<NativeStreamInfo> {
    const { sampleRate, channels } = device?.format ?? this.format;
    const isolation: { fork?: ForkFunction; ffmpeg?: string } =
      typeof this.#isolation === 'object' ? this.#isolation : {};
    const request = {
      loopback: this.#flow === 'output',
      deviceId: id,
      programs,
      sampleRate,
      channels,
      maxWaitMs: this.#maxWaitMs,
      options: this.#openOptions,
      backend: this.#backend,
    };
    const lost = (error: AudioError): void => {
      if (this.#isolated === next && !this.#closing) this.#keeper.lost(error);
    };
    const { ffmpeg } = isolation;
    const whyNot = ffmpeg === undefined ? undefined : await whyNoFfmpeg(ffmpeg);
    if (whyNot !== undefined) throw unsupported('isolation { ffmpeg }', whyNot);
    const next: IsolatedDevice =
      ffmpeg !== undefined
        ? new FfmpegCapture(ffmpeg, device?.name ?? id, request, lost)
        : new IsolatedCapture(request, isolation.fork, {
            lost,
            tap: (event) => this.tapped(event),
          });
    try {
      const info = await next.opened;
      const format = { sampleRate, channels, sampleFormat: 'f32' } as const;
      await this.#native.openPushed(next.pushed, format, periodOf(this.#openOptions));
      // destroy() did not wait, and could not close what was not there yet.
      if (this.destroyed) throw closedEarly('The source was closed before its device was open');
      const before = this.#isolated;
      this.#isolated = next;
      this.consumersChanged();
      await before?.close();
      return { ...info, format };
    } catch (error) {
      await next.close();
      throw error;
    }
  }

  /** @internal What the engine says about the open device; undefined until `ready`. */
  get streamInfo(): NativeStreamInfo | undefined {
    return this.#info;
  }

  /** @internal A consumer that reads frames as they come, instead of chunks. */
  openTap(bufferFrames: number, label: Float64Array, onData: () => void): NativeTap {
    return new (native().Tap)(this.#native, bufferFrames, 'f32', label, onData);
  }

  /** @internal Called on the JS thread after the engine has woken it. */
  protected attended(): void {}

  /** @internal */
  protected override consumersChanged(): void {
    this.#isolated?.collect(this.isPatient ? collectMs : 0);
  }

  /** @internal Called when the capture of a program in a child process has begun or ended. */
  protected tapped(_event: NativeTapEvent): void {}

  async #open(): Promise<void> {
    await this.#keeper.start();
    if (this.#closing) return;
    this.#ready.resolve(this);
    callListeners(() => this.#emitter.emit('ready'));
  }

  #showLevel(): void {
    if (this.#showing) return;
    this.#showing = true;
    timersOf(this.#host).after(
      levelMs,
      () => {
        this.#showing = false;
        if (this.destroyed || this.listenerCount('level') === 0) return;
        this.#showLevel();
        callListeners(() => this.#emitter.emit('level', this.level()));
      },
      false,
    );
  }

  async #stop(): Promise<void> {
    if (!this.destroyed) await this.#opening;
    await this.#keeper.stop();
    const flushed = this.destroyed ? undefined : this.#isolated?.flush();
    const closing = (flushed?.then(() => this.#native.close()) ?? this.#native.close())
      .then(() => this.#isolated?.close())
      .then(() => this.#keeper.current?.release?.());
    timersOf(this.#host).during(closing);
    await (this.#info ? closing : shortly(closing));
    // Unread audio does not keep the process alive.
    this.#keepAlive.release();
    this.#attend();
    this.producerEnded();
  }

  // Called on the JS thread after the engine has woken it.
  #attend(): void {
    for (const event of this.#native.takeEvents()) {
      // The state changes before listeners run, because a listener may throw.
      if (event.type === 'ended') this.#closing ??= this.#stop();
      else if (event.type === 'leftOut') this.#steps.add(event.frame, this.#nsOf(event.frames));
      callListeners(() => this.#report(event));
    }
    this.attended();
    const lost = this.#native.takeError();
    if (lost && !this.#closing) this.#keeper.lost(fromNative(lost));
  }

  #nsOf(frames: number): bigint {
    return BigInt(Math.round((frames * 1e9) / this.format.sampleRate));
  }

  // Some drivers lose audio at their shortest period, which they have promised.
  #judgePeriod(): void {
    if (this.#info?.lowLatency !== true || !this.#shortPeriod.lost(this.#host.now())) return;
    // If it cannot be opened again, it keeps its period.
    this.#keeper.reopen().catch(() => {});
  }

  #report({ type, frame, frames }: NativeEvent): void {
    const discontinuity = (filled: boolean, reason: Discontinuity['reason']): boolean =>
      this.#emitter.emit('discontinuity', {
        frame,
        frames,
        filled,
        reason,
      } satisfies Discontinuity);
    if (type === 'leftOut') discontinuity(false, 'sleep');
    else if (type === 'hole') {
      this.#judgePeriod();
      discontinuity(true, 'device');
    } else if (type === 'absence') discontinuity(true, this.#keeper.reason);
    else if (type === 'muted') this.#emitter.emit('mute');
    else if (type === 'unmuted') this.#emitter.emit('unmute');
    else if (type === 'dead')
      this.#emitter.emit('dead', { evidence: evidences[frames - 1], frame });
    else if (type === 'alive') this.#emitter.emit('alive');
    else if (type === 'stalled') this.#emitter.emit('stall', { frame });
    else if (type === 'flows') this.#emitter.emit('flow', { frame });
  }
}
