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
import { AudioError, closedEarly, fromNative, type NativeError } from '../errors.js';
import {
  bytesPerFrame,
  checkFormat,
  defaultFormat,
  formatUnknown,
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

// How far apart the packets of a stream are, or the requests of its device.
function longestPeriodMs(stream: object): number {
  const { granted, periodMs = 10 } = stream as Partial<AudioSink>;
  return granted?.lowLatency ? periodMs : 10;
}

/**
 * Plays what is piped into it, or written. A live stream of this package is linked inside the engine
 * and held in step with the device's clock; bytes written from JavaScript are queued with Node's
 * backpressure and played at the device's pace.
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
  #fillMs: number; // as it was last told
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
  #discard = 0; // bytes in Node's buffer that clear() threw away
  #overrunFrames = 0;
  readonly #formats: { behind: number; format: Readonly<AudioFormat> }[] = [];
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
        // Not for the beginning of a frame, nor for no bytes at all: there is nothing to play.
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

  // A live producer is never waited for.
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

  async #openDevice({ renderId, device }: Destination): Promise<void> {
    const options = this.#openOptions;
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
   * A new stream, once its device is open. Rejects with what opening it fails with; then nothing stays open.
   *
   * @throws as the constructor.
   * @example
   * const sink = await SpeakerSink.open({ latencyMs: 30 });
   */
  static open<T extends AudioSink, Arguments extends unknown[]>(
    this: new (...options: Arguments) => T,
    ...options: Arguments
  ): Promise<T> {
    return opened(new this(...options));
  }

  /** @internal Finds or makes what to play to. */
  protected abstract prepare(
    host: NativeHost,
    search: DeviceSearch<Destination>,
  ): Promise<Destination>;

  /** @internal The devices around this one, or their settings, may be others than before. */
  protected devicesChanged(): void {}

  /** The format of the audio that is played. @throws `ERR_AUDIO_FORMAT_UNKNOWN` until it is known. */
  get format(): Readonly<AudioFormat> {
    const { format } = this.#inlet;
    if (!format) throw formatUnknown(this.constructor.name);
    return format;
  }

  get live(): boolean {
    return true;
  }

  /** The output that is played to, or was until it went; undefined until `ready`. */
  get device(): AudioDevice | undefined {
    const device = this.destination?.device;
    return device && toPublic(device);
  }

  /** @internal What is played to, or was until it went. */
  protected get destination(): Destination | undefined {
    return this.#info && this.#keeper.current;
  }

  /** @internal */
  protected get heardBy(): NativeDevice | undefined {
    return this.destination?.microphone;
  }

  /** @internal What a device that is made is to have. */
  protected get demandedFormat(): Readonly<AudioFormat> | undefined {
    return this.#openOptions.format;
  }

  /** How often the device asks for frames, ms; undefined until `ready`. */
  get periodMs(): number | undefined {
    return this.#info && (this.#info.periodFrames * 1000) / this.#info.format.sampleRate;
  }

  /** The format in which the present device was opened; undefined until `ready`. */
  get deviceFormat(): Readonly<AudioFormat> | undefined {
    return this.#info?.format;
  }

  /** How the device was opened, and why a wish was not granted; undefined until `ready`. */
  get granted(): Readonly<Granted> | undefined {
    return this.#info && toGranted(this.#openOptions, this.#info);
  }

  /** Frames that the device took, at the rate of the first one. */
  get position(): number {
    return this.stats().frames;
  }

  /** @internal */
  get [upstreams](): object[] {
    return this.#inlet.sources;
  }

  /** When a frame of `position` is heard, ns of `process.hrtime.bigint()`. */
  timeAt(frame: number): bigint {
    const time = this.#native.timeAt(
      checkFrame(frame, 'frame', this.#info?.format.sampleRate ?? defaultFormat.sampleRate),
    );
    if (time === undefined) throw this.#notYet('timeAt()');
    return time;
  }

  /**
   * The frame of `position` that is heard at a time.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_AUDIO_UNSUPPORTED` until it plays.
   */
  frameAt(time: bigint): number {
    const frame = this.#native.frameAt(checkTime(time, 'time'));
    if (frame === undefined) throw this.#notYet('frameAt()');
    return frame;
  }

  /** Peak and RMS of what the device was given over the last 100 ms, dBFS. */
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
   * Resolves when everything that was written before this call has been heard, also if more is written
   * meanwhile, or when `clear()` has thrown it away. Rejects with what the sink fails with, and with
   * `ERR_STREAM_PREMATURE_CLOSE` if it is destroyed before.
   */
  played(): Promise<void> {
    const { live } = this.#settings;
    // A live producer is played as its audio comes: nothing waits in the sink.
    const isWaiting = !live && (this.#queued || this.writableLength > 0);
    if (this.destroyed || !isWaiting) return Promise.resolve();
    const played = rejectsWith(this, new Deferred<void>());
    this.#marks.add(played, this.writableLength);
    return played.promise;
  }

  /**
   * Throws away what was written and has not been played. What sounds just now is faded out, in `rampMs`
   * (5); what is written from now on comes next. `played()` resolves. A linked stream has nothing queued.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  clear(options?: { rampMs?: number }): void {
    const { rampMs = 5 } = checkOptions(options, 'clear', ['rampMs']);
    checkNumber(rampMs, 'options.rampMs', 0, 1000);
    this.#discard = this.#behind();
    for (const change of this.#formats) change.behind = 0;
    this.#native.clear(rampMs);
    this.#inlet.drop();
    this.#writer.drop();
    this.#marks.cleared(rampMs);
  }

  /**
   * The format of the bytes written from now on. What was written before is played as it was, and there is
   * no gap between the two.
   *
   * Rejects with `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. Bytes written
   * before that end within a frame make the next write fail with `ERR_AUDIO_PARTIAL_FRAME`.
   */
  async setFormat(format: AudioFormat): Promise<void> {
    const next = checkFormat(format, 'format');
    if (this.destroyed || this.writableEnded) throw closed('setFormat()');
    this.#formats.push({ behind: this.#behind(), format: next });
    await Promise.resolve();
  }

  // Bytes that were written and that Node has not given us yet.
  #behind(): number {
    return this.writableLength - this.#writing;
  }

  /**
   * Opens the device once more, in another format: {@link SinkOptions.deviceFormat}. Meanwhile it plays
   * nothing. When it fails the device is opened as it was. A microphone that this sink made is made anew
   * under its name: who listens to it has to select it again.
   *
   * Rejects with `ERR_AUDIO_FORMAT_UNSUPPORTED`, with what opening a device fails with, and with
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
    // Nobody has a device exclusively twice, not even who has it.
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
   * Goes on to another device, or from now on to the default. Nothing that is queued is lost. When it
   * fails the sink stays as it was. Rejects with `ERR_AUDIO_DEVICE_NOT_FOUND`, and with what opening a
   * device fails with.
   */
  async setDevice(device: DeviceSelector): Promise<void> {
    checkSelector(device, 'device');
    await this.ready;
    if (this.destroyed || this.writableFinished) throw closed('setDevice()');
    await this.#keeper.change(device);
  }

  /** Plays what is left, then releases the device. */
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

  /** @internal The mixer that was driven is over. */
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

  // Node waits for the end of the construction, and with it for an audio system that does not answer.
  override destroy(error?: Error): this {
    super.destroy(error);
    this.#constructed?.();
    this.#constructed = undefined;
    return this;
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    this.#inlet.note();
    const [how, callback] =
      typeof encoding === 'function' ? [undefined, encoding] : [encoding, done];
    return super.write(chunk, how as BufferEncoding, this.#writer.reporting(callback));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#feedback?.look();
    const taken = (error?: Error | null): void => {
      this.#writing = 0;
      if (!error) this.#marks.taken(chunk.length);
      done(error);
    };
    if (this.#discard > 0) {
      this.#discard -= chunk.length;
      this.#inlet.skip();
      return taken();
    }
    while (this.#formats.length > 0 && this.#formats[0].behind <= 0) {
      this.#inlet.change((this.#formats.shift() as { format: AudioFormat }).format);
    }
    for (const change of this.#formats) change.behind -= chunk.length;
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
      await (this.#info ? closing : shortly(closing));
    } finally {
      // Also where a microphone could not be taken away, because its server is gone.
      this.#keepAlive.release();
    }
  }

  // A device that is released cuts off what it holds: what sounds is faded before. Where time is moved by hand, nobody
  // may move it any more.
  async #fadeOut(): Promise<void> {
    const heldMs = this.#native.fadeOut();
    if (heldMs === 0 || this.#host.timers) return;
    const ms = Math.min(heldMs + (this.periodMs ?? 10) + fadeMs, mostFadeOutMs);
    await new Promise<void>((resolve) => timersOf(this.#host).after(ms, resolve));
  }

  // A link begins when the device is open; what was written before is played first.
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

  // The fill grows at once and shrinks slowly: the event comes when it has stopped shrinking.
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
      `'${device?.name ?? 'The device'}' has played nothing for ${seconds} s, although more was written`,
      { deviceId: device?.id },
    );
  }

  #notYet(what: string): AudioError {
    return unsupported(`${what} before the sink is ready`, 'nothing has been played yet');
  }
}
