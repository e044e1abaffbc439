import { AsyncResource } from 'node:async_hooks';
import { addAbortSignal } from 'node:stream';

import { callListeners } from '../engine/call-listeners.js';
import type { AudioStream } from '../streams/audio-stream.js';
import { openBackend } from '../engine/backend.js';
import { closed, deliverError, opened, rejectsWith, whenClosed } from '../streams/closing.js';
import { Deferred } from '../engine/deferred.js';
import {
  DeviceKeeper,
  patienceOf,
  shortly,
  type DeviceEvents,
  type DeviceActions,
  type DeviceSearch,
} from '../devices/device-keeper.js';
import {
  checkSelector,
  toPublic,
  type AudioDevice,
  type DeviceSelector,
} from '../devices/devices.js';
import type { Opened } from '../devices/opened.js';
import { AudioError, closedEarly, fromNative, type NativeError } from '../errors.js';
import {
  bytesPerFrame,
  checkFormat,
  defaultFormat,
  formatNotYet,
  type AudioFormat,
} from '../format/format.js';
import { FrameWriter } from '../streams/frame-writer.js';
import { KeepAlive } from '../engine/keep-alive.js';
import { timersOf } from '../engine/timers.js';
import { Inlet, type Done, type InletTarget } from '../streams/inlet.js';
import { linkTarget, upstreams, type LinkTarget } from '../streams/links.js';
import { isMixer } from '../mixer/mixer.js';
import {
  native,
  type NativeDevice,
  type NativeHost,
  type NativeOpenOptions,
  type NativeSink,
  type NativeSinkStats,
  type NativeStreamInfo,
} from '../engine/native.js';
import { periodOf, toGranted, type Granted } from '../devices/open-options.js';
import { checkFrame, checkNumber, checkOptions, checkTime, unsupported } from '../validate.js';
import { BufferedChanges } from './buffered-changes.js';
import type { Destination } from './destination.js';
import { FeedbackGuard } from './feedback-guard.js';
import { PlayedMarks } from './played-marks.js';
import { StallWatch } from './stall-watch.js';
import { toSinkSettings, type SinkOptions, type SinkSettings } from './sink-options.js';
import { TypedWritable } from '../engine/typed-events.js';
import type { SinkEvents, SinkStats } from './sink-reports.js';

const fadeMs = 3;
const stallMsWithoutRecovery = 5000;
const mostFadeOutMs = 250;

// The interval between the packets of a stream, or between the requests of its device.
function longestPeriodMs(stream: object): number {
  const { granted, periodMs = 10 } = stream as Partial<AudioSink>;
  return granted?.lowLatency ? periodMs : 10;
}

/**
 * The base class of sinks. A sink plays a stream that is piped into it, or bytes that are written to it. A live stream of
 * this package is linked inside the engine and resampled to the clock of the device. Bytes that JavaScript writes are
 * queued with Node's backpressure and played at the pace of the device.
 */
export abstract class AudioSink extends TypedWritable<SinkEvents> implements AudioStream {
  readonly #ready = rejectsWith(this, new Deferred<this>());
  /** Resolves when the device is open. */
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #host: NativeHost;
  readonly #native: NativeSink;
  readonly #inlet: Inlet;
  readonly #writer: FrameWriter;
  readonly #settings: SinkSettings;
  #fillMs: number; // as of the last `latency` event
  readonly #keepAlive = new KeepAlive(this);
  readonly #feedback: FeedbackGuard | undefined;
  readonly #marks: PlayedMarks;
  readonly #stalls: StallWatch;
  #constructed: Done | undefined;
  readonly #context = new AsyncResource('PATCHCORD');
  #openOptions: NativeOpenOptions;
  #reformatting: Promise<void> = Promise.resolve();
  readonly #keeper: DeviceKeeper<Destination>;
  #info: NativeStreamInfo | undefined;
  #started = false;
  #writing = 0; // bytes of the chunk that waits for room
  #overrunFrames = 0;
  readonly #changes = new BufferedChanges();
  #queued = false;

  /** @internal */
  constructor(given: SinkOptions, selector: DeviceSelector) {
    const settings = toSinkSettings(given);
    const host = openBackend(given);
    super({ highWaterMark: 64 * 1024 });
    this.#host = host;
    this.#settings = settings;
    this.#fillMs = settings.latencyMs;
    this.#openOptions = settings.openOptions;
    const { normalize, limiter, declared, allowFeedback, signal } = settings;
    this.#native = new (native().Sink)(host, () => this.#enter(), normalize, limiter);
    this.#writer = new FrameWriter(this.#native);
    this.#marks = new PlayedMarks(this.#native, host);
    const patienceMs = patienceOf(given.recover) || stallMsWithoutRecovery;
    const position = (): number => this.#native.stats().frames;
    this.#stalls = new StallWatch(host, patienceMs, position, () =>
      this.destroy(this.#stalledFor(patienceMs / 1000)),
    );
    this.#inlet = new Inlet(this, this.#target(), declared);
    this.#keeper = new DeviceKeeper(this.#deviceActions(), selector, given.recover);
    if (!allowFeedback) this.#feedback = new FeedbackGuard(this, () => this.destination);
    if (signal) addAbortSignal(signal, this);
  }

  #target(): InletTarget {
    const engine = this.#native;
    const { live, bufferMs, latencyMs } = this.#settings;
    let frameBytes = 0;
    return {
      refuse: (source) =>
        source.live || isMixer(source) ? undefined : 'it is not live, so no clock drives it',
      link: () => {
        this.#feedback?.look();
        this.#start();
      },
      unlink: (source) => {
        engine.unlink();
        this.#started = false;
        this.#feedback?.stop();
        if (isMixer(source)) source.releaseDriver(this);
      },
      open: (format) => {
        frameBytes = bytesPerFrame(format);
        const frames = Math.ceil((bufferMs * format.sampleRate) / 1000);
        if (live) return engine.openLive(format, frames);
        const start = Math.ceil((Math.min(latencyMs, bufferMs) * format.sampleRate) / 1000);
        engine.openWritten(format, frames, start);
      },
      write: (frames, done) => {
        // Less than a frame is nothing to play.
        if (frames.length > 0) {
          this.#queued = true;
          this.#stalls.start();
        }
        if (live) return this.#writeLive(frames, done);
        this.#writer.write(frames, frameBytes, done);
      },
      end: () => {
        if (this.#queued) engine.end();
        return this.#queued;
      },
    };
  }

  // A live producer never waits.
  #writeLive(frames: Buffer, done: Done): void {
    const lost = this.#native.writeLive(frames);
    this.#overrunFrames += lost;
    if (lost > 0) queueMicrotask(() => this.emit('overrun', { frames: lost }));
    done();
  }

  #deviceActions(): DeviceActions<Destination> {
    const host = this.#host;
    return {
      host,
      find: (search) => this.prepare(host, search),
      same: (a, b) => a.renderId === b.renderId,
      open: (found) => this.#openDevice(found),
      leave: () => this.#native.leave(),
      release: (found) => Promise.resolve(found.release?.()).catch(() => {}),
      device: ({ device }) => device && toPublic(device),
      emit: (event, ...values) =>
        queueMicrotask(() => {
          if (event === 'deviceChange') this.#feedback?.look();
          if (event !== 'rebuild') this.devicesChanged();
          this.emit(event as 'rebuild', ...(values as DeviceEvents['rebuild']));
        }),
      devicesChanged: () => this.devicesChanged(),
      fail: (error) => this.destroy(error),
    };
  }

  async #openDevice({ renderId, device, microphone }: Destination): Promise<void> {
    const options = { ...this.#openOptions, ...(microphone && { microphone: microphone.name }) };
    const { openOptions, latencyMs, maxLatencyMs } = this.#settings;
    const format = device?.format ?? defaultFormat;
    this.#info = await this.#native
      .open(renderId, format, periodOf(openOptions), latencyMs, maxLatencyMs, options)
      .catch((record: NativeError) => {
        throw fromNative(record);
      });
    this.#fillMs = latencyMs;
  }

  /**
   * Constructs a sink and resolves with it when its device is open. Rejects if the device cannot be opened. In that case
   * the sink is closed.
   *
   * @throws the same errors as the constructor.
   * @example
   * const sink = await SpeakerSink.open({ latencyMs: 30 });
   */
  static open<T extends AudioSink, Arguments extends unknown[]>(
    this: new (...options: Arguments) => T,
    ...options: Arguments
  ): Promise<Opened<T>> {
    return opened(new this(...options));
  }

  /** @internal Finds or makes the output to play to. */
  protected abstract prepare(
    host: NativeHost,
    search: DeviceSearch<Destination>,
  ): Promise<Destination>;

  /** @internal Other devices, or their settings, may have changed. */
  protected devicesChanged(): void {}

  /** The format of the audio that is played. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until it is known. */
  get format(): Readonly<AudioFormat> {
    const { format } = this.#inlet;
    if (!format) throw formatNotYet(this.constructor.name);
    return format;
  }

  get live(): boolean {
    return true;
  }

  /** The output that the sink plays to, or has played to until it was lost; undefined until `ready`. */
  get device(): AudioDevice | undefined {
    const device = this.destination?.device;
    return device && toPublic(device);
  }

  /** @internal What the sink plays to, or has played to until it was lost. */
  protected get destination(): Destination | undefined {
    return this.#info && this.#keeper.current;
  }

  /** @internal */
  protected get heardBy(): NativeDevice | undefined {
    return this.destination?.microphone;
  }

  /** @internal The format for a device that the sink creates. */
  protected get demandedFormat(): Readonly<AudioFormat> | undefined {
    return this.#openOptions.format;
  }

  /** The interval at which the device requests frames, in ms; undefined until `ready`. */
  get periodMs(): number | undefined {
    return this.#info && (this.#info.periodFrames * 1000) / this.#info.format.sampleRate;
  }

  /** The format in which the present device was opened; undefined until `ready`. */
  get deviceFormat(): Readonly<AudioFormat> | undefined {
    return this.#info?.format;
  }

  /** How the device was opened, and why a request was not granted; undefined until `ready`. */
  get granted(): Readonly<Granted> | undefined {
    return this.#info && toGranted(this.#openOptions, this.#info);
  }

  /** Frames that the sink's devices have taken, at the rate of the first device. */
  get position(): number {
    return this.stats().frames;
  }

  /** @internal */
  get [upstreams](): object[] {
    return this.#inlet.sources;
  }

  /** When a frame, counted as in `position`, is heard, in ns of `process.hrtime.bigint()`. */
  timeAt(frame: number): bigint {
    const time = this.#native.timeAt(checkFrame(frame, 'frame'));
    if (time === undefined) throw this.#notYet('timeAt()');
    return time;
  }

  /**
   * The frame, counted as in `position`, that is heard at a time.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_AUDIO_UNSUPPORTED` until it plays.
   */
  frameAt(time: bigint): number {
    const frame = this.#native.frameAt(checkTime(time, 'time'));
    if (frame === undefined) throw this.#notYet('frameAt()');
    return frame;
  }

  /** Peak and RMS of the last 100 ms that the device has taken, in dBFS. */
  level(): { peakDb: number; rmsDb: number } {
    return this.#native.level();
  }

  stats(): Readonly<SinkStats> {
    const stats: Partial<NativeSinkStats> & { deviceLatencyMs: number } = this.#native.stats();
    const source = this.#inlet.linked;
    const lagMs = source && isMixer(source) ? source.stats().latencyMs : stats.lagMs;
    delete stats.lagMs;
    delete stats.heldMs;
    delete stats.writtenRate;
    return {
      ...(stats as unknown as SinkStats),
      fillMs: this.#native.fillMs(),
      overrunFrames: this.#overrunFrames,
      latencyMs: lagMs === undefined ? undefined : lagMs + stats.deviceLatencyMs,
    };
  }

  /**
   * Resolves when everything that was written before this call has been heard, even if more is written meanwhile, or
   * when `clear()` has discarded it. Rejects with the error of the sink if it fails, and with
   * `ERR_STREAM_PREMATURE_CLOSE` if it is destroyed before.
   */
  played(): Promise<void> {
    const { live } = this.#settings;
    // The audio of a live producer is played as it comes, so none waits in the sink.
    const isWaiting = !live && (this.#queued || this.writableLength > 0);
    if (this.destroyed || !isWaiting) return Promise.resolve();
    const played = rejectsWith(this, new Deferred<void>());
    this.#marks.add(played, this.writableLength);
    return played.promise;
  }

  /**
   * Discards bytes that were written but not played. The sound that plays now fades out within `rampMs` (5). Bytes
   * written after this call are played next. Pending `played()` promises resolve. A linked stream has nothing queued.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  clear(options?: { rampMs?: number }): void {
    const { rampMs = 5 } = checkOptions(options, 'clear', ['rampMs']);
    checkNumber(rampMs, 'options.rampMs', 0, 1000);
    this.#changes.discard(this.#behind());
    this.#native.clear(rampMs);
    this.#inlet.drop();
    this.#writer.drop();
    this.#marks.cleared(rampMs);
  }

  /**
   * Sets the format of the bytes written after this call. Bytes that were written before are played in their own format,
   * without a gap in between.
   *
   * Rejects with `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. If the bytes written before end
   * within a frame, the next write fails with `ERR_AUDIO_PARTIAL_FRAME`.
   */
  async setFormat(format: AudioFormat): Promise<void> {
    const next = checkFormat(format, 'format');
    if (this.destroyed || this.writableEnded) throw closed('setFormat()');
    this.#changes.setFormat(next, this.#behind());
    await Promise.resolve();
  }

  // Bytes that were written and that Node still buffers.
  #behind(): number {
    return this.writableLength - this.#writing;
  }

  /**
   * Reopens the device in another format: {@link SinkOptions.deviceFormat}. Meanwhile the device plays nothing. If this
   * fails, the sink opens the device in its old format. A microphone that this sink created is created again
   * under its name, and programs that record from it have to select it again.
   *
   * Rejects with `ERR_AUDIO_FORMAT_UNSUPPORTED`, with the errors of opening a device, and with
   * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  async setDeviceFormat(format: AudioFormat): Promise<void> {
    const next = checkFormat(format, 'format');
    await this.ready;
    const turn = this.#reformatting.then(() => this.#reformat(next));
    this.#reformatting = turn.catch(() => {});
    return turn;
  }

  async #reformat(format: Readonly<AudioFormat>): Promise<void> {
    if (this.destroyed || this.writableFinished) throw closed('setDeviceFormat()');
    const before = this.#openOptions;
    // A device in exclusive mode cannot be opened twice, not even by the same process.
    await this.#native.leave();
    this.#openOptions = { ...before, format };
    try {
      await this.#keeper.reopen();
    } catch (error) {
      this.#openOptions = before;
      await this.#keeper.reopen().catch((lost: AudioError) => this.#keeper.lost(lost));
      throw error;
    }
  }

  /**
   * Changes to another device, or with `'default'` to the system's default device. No queued audio is lost. If the change
   * fails, the sink stays on its device. Rejects with `ERR_AUDIO_DEVICE_NOT_FOUND`, and with the errors of opening a
   * device.
   */
  async setDevice(device: DeviceSelector): Promise<void> {
    checkSelector(device, 'device');
    await this.ready;
    if (this.destroyed || this.writableFinished) throw closed('setDevice()');
    await this.#keeper.change(device);
  }

  /** Plays the rest of the audio, then releases the device. */
  close(): Promise<void> {
    const done = whenClosed(this);
    this.#inlet.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    return done;
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  ref(): this {
    this.#keepAlive.ref();
    return this;
  }

  unref(): this {
    this.#keepAlive.unref();
    return this;
  }

  /** @internal */
  get [linkTarget](): LinkTarget[typeof linkTarget] {
    return this.#inlet;
  }

  /** @internal The mixer that this sink drives has ended. */
  mixEnded(): void {
    this.#native.unlink();
    this.#inlet.inputEnded();
  }

  override _construct(done: Done): void {
    this.#keepAlive.open();
    this.#constructed = done;
    const settle = (error?: Error): void => {
      this.#constructed?.(error);
      this.#constructed = undefined;
    };
    this.#open().then(() => settle(), settle);
  }

  // Node delays `destroy()` until the construction has ended. Here that would mean to wait for an audio system that may
  // not answer.
  override destroy(error?: Error): this {
    super.destroy(error);
    if (!this.destroyed) return this;
    this.#constructed?.();
    this.#constructed = undefined;
    return this;
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const [how, callback] =
      typeof encoding === 'function' ? [undefined, encoding] : [encoding, done];
    return this.#inlet.noting(() =>
      super.write(chunk, how as BufferEncoding, this.#writer.reporting(callback)),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#feedback?.look();
    const taken = (error?: Error | null): void => {
      this.#writing = 0;
      if (!error) this.#marks.taken(chunk.length);
      done(error);
    };
    if (this.#changes.take(chunk.length, (format) => this.#inlet.change(format))) {
      this.#inlet.skip();
      return taken();
    }
    this.#writing = chunk.length;
    this.#inlet.write(chunk, taken);
  }

  override _final(done: Done): void {
    this.#inlet.finish(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.#inlet.unlink();
    this.#feedback?.stop();
    this.#stalls.stop();
    this.#writer.abandon(error);
    this.#marks.fail(error ?? closedEarly('The sink was closed before all of it was heard'));
    const settle = (failure?: Error): void => {
      this.#ready.reject(error ?? closedEarly('The sink was closed before its device was open'));
      done(error ?? failure ?? null);
    };
    this.#release().then(() => settle(), settle);
  }

  async #open(): Promise<void> {
    try {
      await this.#keeper.start();
    } catch (error) {
      this.#ready.reject(error as Error);
      throw error;
    }
    this.#feedback?.look();
    if (this.destroyed) return;
    this.#ready.resolve(this);
    this.#start();
    this.devicesChanged();
    callListeners(() => this.emit('ready'));
  }

  async #release(): Promise<void> {
    try {
      await this.#keeper.stop();
      await this.#fadeOut();
      const closing = this.#native.close().then(() => this.#keeper.current?.release?.());
      timersOf(this.#host).during(closing);
      // A server that does not answer must not hold up destroy(). The engine releases the device later.
      await (this.#info && this.writableFinished ? closing : shortly(closing));
    } finally {
      // Also if a microphone could not be removed because its server is gone.
      this.#keepAlive.release();
    }
  }

  // A device that is released drops its buffer, so the sound is faded out before. With a manual clock there is no fade,
  // because nothing may move the clock any more.
  async #fadeOut(): Promise<void> {
    const heldMs = this.#native.fadeOut();
    if (heldMs === 0 || this.#host.timers) return;
    const ms = Math.min(heldMs + (this.periodMs ?? 10) + fadeMs, mostFadeOutMs);
    await new Promise<void>((resolve) => timersOf(this.#host).after(ms, resolve));
  }

  // A link begins when the device is open. Bytes that were written before are played first.
  #start(): void {
    const source = this.#inlet.linked;
    if (!source || this.#started || !this.#info || this.destroyed) return;
    this.#started = true;
    if (isMixer(source) && source.takeDriver(this, this.#host)) {
      this.#native.drive(source.producer);
    } else {
      this.#native.link(
        source.producer,
        Math.ceil((this.#settings.bufferMs * source.format.sampleRate) / 1000),
        longestPeriodMs(source) + longestPeriodMs(this),
      );
    }
  }

  #enter(): void {
    this.#context.runInAsyncScope(() => this.#attend());
  }

  #attend(): void {
    for (const { type, frame, frames } of this.#native.takeEvents()) {
      if (type === 'lowWater') this.#writer.retry();
      else if (type === 'underrun') callListeners(() => this.emit('underrun', { frame, frames }));
      else if (type === 'fill') this.#lookAtFill();
      else if (type === 'played') this.#wasPlayed();
      else if (type === 'inputEnded') this.#inlet.inputEnded();
    }
    const lost = this.#native.takeError();
    if (lost) this.#keeper.lost(fromNative(lost));
  }

  // The fill grows at once and shrinks slowly. The event is emitted when it has stopped shrinking.
  #lookAtFill(): void {
    const [from, to] = [this.#fillMs, this.#native.fillMs()];
    if (to === from || (to < from && to > this.#settings.latencyMs)) return;
    this.#fillMs = to;
    const reason = to > from ? 'underrun' : 'calm';
    callListeners(() => this.emit('latency', { from, to, reason }));
  }

  #wasPlayed(): void {
    if ((this.stats().queuedFrames ?? 0) > 0) return;
    this.#queued = false;
    this.#stalls.stop();
    this.#marks.allHeard();
    this.#inlet.finished();
    callListeners(() => this.emit('idle'));
  }

  #stalledFor(seconds: number): AudioError {
    const device = this.device;
    return new AudioError(
      'ERR_AUDIO_DEVICE_LOST',
      `'${device?.name ?? 'The device'}' has played nothing for ${seconds} s, although written audio waits`,
      { deviceId: device?.id },
    );
  }

  #notYet(what: string): AudioError {
    return unsupported(`${what} before the sink is ready`, 'nothing has been played yet');
  }
}
