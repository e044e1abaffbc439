import { callListeners } from '../engine/call-listeners.js';
import { Deferred } from '../engine/deferred.js';
import { openBackend } from '../engine/backend.js';
import { TypedEmitter, type EmitterEvents } from '../engine/typed-events.js';
import { AudioError, closedEarly } from '../errors.js';
import type { AudioFormat } from '../format/format.js';
import type { Mixer } from '../mixer/mixer.js';
import type { SourceStats } from '../sources/source-reports.js';
import { closed } from '../streams/closing.js';
import type { Discontinuity } from '../streams/outlet.js';
import type { EchoCancellerStats, EchoWarning } from '../transforms/echo-canceller.js';
import { checkTime } from '../validate.js';
import { aborted } from './aborted.js';
import type { SideChange } from './condition.js';
import type { Feed } from './feed.js';
import { writeFiles, type MeetingFileOptions, type MeetingFiles } from './files.js';
import { Ladder, type StrategyChange } from './ladder.js';
import { LiveMix } from './live-mix.js';
import { Mixdown, type SideName } from './mixdown.js';
import { Openers } from './openers.js';
import {
  checkGains,
  checkMode,
  checkRampMs,
  type MeetingGains,
  type MeetingMode,
  type MeetingPlan,
} from './options.js';
import { Side, type PassedOn, type SideOwner } from './side.js';
import { TimeMap } from './time-map.js';
import { Timeline } from './timeline.js';
import { MeetingSide, MeetingTrack, type TrackSetup } from './track.js';

/** Counters of a meeting. */
export interface MeetingStats {
  /** The number of frames of each track. */
  frames: number;
  /** Frames of a side that arrived after silence had taken their place. */
  lateFrames: number;
  /** The lowest gain that the limiter of the mix has used; 1 if it has changed nothing. */
  limiterGain: number;
  /** Counters of the present source of the microphone. */
  mic?: Readonly<SourceStats>;
  /** Counters of the present source of the system's side. */
  system?: Readonly<SourceStats>;
  /** Counters of the echo canceller. */
  echo?: Readonly<EchoCancellerStats>;
}

/** Events of a meeting. */
export interface MeetingEvents extends EmitterEvents {
  /** All devices are open. */
  ready: [];
  /** The state of a side has changed. */
  state: [change: SideChange & { side: SideName }];
  /** The meeting captures a dead side with another strategy. */
  strategy: [change: StrategyChange];
  /** A side is dead, and no strategy has helped. The error lists the strategies and their results. */
  unrecovered: [event: { side: SideName; error: AudioError }];
  /** The echo may stay in the microphone. */
  warning: [warning: EchoWarning];
  /** The meeting has failed, because no side can be heard any more. Not emitted if a promise reports the error. */
  error: [error: Error];
  /** All tracks have ended and all devices are released. */
  close: [];
}

/** The tracks of a meeting, by name. */
export interface MeetingTracks {
  /** The track of the microphone. */
  mic?: MeetingSide;
  /** The track of what the system plays. */
  system?: MeetingSide;
  /** The mix of both sides. */
  mix: MeetingTrack;
}

/**
 * A captured meeting, see {@link captureMeeting}. Its tracks are streams: `mix`, `mic` and `system`. Frame k of one
 * track was heard at the same time as frame k of the others, and all tracks always have the same length.
 *
 * The meeting itself is not a stream. Its `pause()` omits frames from the recording, while `pause()` of a stream only
 * stops the flow of data, and is also called by other code, such as `Readable.toWeb()`.
 */
export class Meeting extends TypedEmitter<MeetingEvents> {
  /** The mix of both sides: their sum, or each side in its own channel. */
  readonly mix: MeetingTrack;
  /** The track of the microphone; undefined without one. */
  readonly mic: MeetingSide | undefined;
  /** The track of what the system plays; undefined without it. */
  readonly system: MeetingSide | undefined;
  readonly #plan: MeetingPlan;
  readonly #openers: Openers;
  readonly #startTime: bigint;
  readonly #sides: readonly Side[];
  readonly #map: TimeMap;
  readonly #mixdown: Mixdown;
  readonly #timeline: Timeline;
  readonly #ready = new Deferred<this>();
  readonly #closed = new Deferred<void>();
  readonly #files: Deferred<void>[] = [];
  readonly #ladder: Ladder;
  readonly #onAbort = (): void => this.destroy(aborted(this.#plan.signal));
  #mode: MeetingMode;
  #gains: Record<SideName, number>;
  #paused = false;
  #isReady = false;
  #isClosing = false;
  #isOver = false;
  #failure: Error | undefined;
  #lateFrames = 0;
  #liveMix: LiveMix | undefined;

  /** @internal Made by `captureMeeting()`. */
  constructor(plan: MeetingPlan) {
    super();
    const { format, sideFormat, mode, gains, isStereo, signal } = plan;
    this.#plan = plan;
    this.#mode = mode;
    this.#gains = gains;
    this.#openers = new Openers(plan);
    this.#startTime = plan.startTime ?? openBackend(plan).now();
    this.#map = new TimeMap(format.sampleRate, this.#startTime);
    this.#mixdown = new Mixdown(format, gains, isStereo ? { mic: 0, system: 1 } : undefined);
    this.#ladder = new Ladder(plan, {
      // The source begins at a whole second of the meeting, so that nothing of the past is read again.
      open: (side, move) => {
        const offset = Math.max(0, Math.floor(this.#now() / format.sampleRate) * format.sampleRate);
        this.#openers.another(this.#sides, side, move, offset, this.#clock.timeAt(offset));
      },
      changed: (change) => callListeners(() => this.emit('strategy', change)),
      failed: ({ name }, error) => {
        callListeners(() => this.emit('unrecovered', { side: name, error }));
      },
    });
    const owner = this.#asOwner();
    const opened = this.#openers.first(this.#startTime);
    const sides = opened.map(([name, parts]) => new Side(name, owner, this.#isHeard(name), parts));
    this.#sides = sides;
    const setup = (ofTrack: Readonly<AudioFormat>): TrackSetup => ({
      format: ofTrack,
      plan: plan.chunks,
      bufferMs: plan.bufferMs,
      map: this.#map,
      frames: () => this.#timeline.given,
    });
    const track = (name: SideName): MeetingSide | undefined => {
      const side = sides.find((one) => one.name === name);
      return side && new MeetingSide(setup(sideFormat), side, this.#ladder);
    };
    this.mix = new MeetingTrack(setup(format));
    this.mic = track('mic');
    this.system = track('system');
    this.#timeline = new Timeline({
      sampleRate: format.sampleRate,
      sides,
      mixdown: this.#mixdown,
      map: this.#map,
      outputs: this.tracks,
      timeAt: (frame) => this.#clock.timeAt(frame),
      leftOut: (frame, frames) => this.#lost({ frame, frames, filled: false, reason: 'pause' }),
      finished: () => void this.#finish(),
    });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) process.nextTick(this.#onAbort);
    Promise.all(sides.map(({ feed }) => feed.source.ready)).then(
      () => this.#opened(),
      (error: Error) => this.#isClosing || this.#fail(error),
    );
  }

  /** Resolves when all devices are open. If one of them cannot be opened, rejects, and no device stays open. */
  get ready(): Promise<this> {
    return this.#ready.promise;
  }

  /** The format of the mix. */
  get format(): Readonly<AudioFormat> {
    return this.mix.format;
  }

  /** The tracks of the meeting, by name. */
  get tracks(): MeetingTracks {
    const { mic, system, mix } = this;
    return { ...(mic && { mic }), ...(system && { system }), mix };
  }

  /** The number of frames of each track. */
  get position(): number {
    return this.#timeline.given;
  }

  /** Which sides are heard. */
  get mode(): MeetingMode {
    return this.#mode;
  }

  /** How loud each side is in the mix. */
  get gains(): Readonly<Record<SideName, number>> {
    return { ...this.#gains };
  }

  /** Whether the meeting is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Both sides as a mix in the engine, for a sink such as a virtual microphone. It has the latency of a `Mixer`, also
   * while the event loop is blocked, whereas the tracks wait for late audio. It follows `setMode()` and
   * `setGains()`, but not `pause()`. It is created at the first use, and ends with the meeting.
   *
   * @throws `ERR_STREAM_DESTROYED` after the end of the meeting.
   * @example
   * meeting.liveMix.pipe(new VirtualMicSink());
   */
  get liveMix(): Mixer {
    if (!this.#liveMix) {
      if (this.#isOver) throw closed('liveMix');
      this.#liveMix = new LiveMix(this.#plan, this.#sides);
      for (const { name } of this.#sides) {
        this.#liveMix.setGain(name, this.#gains[name], 0);
        this.#liveMix.setHeard(name, this.#isHeard(name), 0);
      }
    }
    return this.#liveMix.mixer;
  }

  /**
   * Sets which sides are heard from now on. A side that is not heard is silent in its track and in the mix. Its
   * device stays open, so that it can be heard again without a gap.
   *
   * @throws `ERR_INVALID_ARG_VALUE`, also for a side that the meeting does not have.
   */
  setMode(mode: MeetingMode): void {
    this.#mode = checkMode(mode, 'mode', this);
    const frame = this.#now();
    const frames = this.#timeline.framesOf(usualRampMs);
    for (const { name, gate } of this.#sides) {
      const isHeard = this.#isHeard(name);
      this.#timeline.at(frame, () => gate.to(isHeard ? 1 : 0, frames));
      this.#liveMix?.setHeard(name, isHeard, usualRampMs);
    }
  }

  /**
   * Changes the gains of the sides in the mix from now on, linear, 0 to 16. A side that is not given does not change.
   *
   * @param options.rampMs - The length of the ramp in ms, 0 to 60000. @default 10
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  setGains(gains: MeetingGains, options?: { rampMs?: number | undefined }): void {
    const given = checkGains(gains, 'gains');
    const rampMs = checkRampMs(options, 'setGains');
    this.#gains = { ...this.#gains, ...given };
    const frame = this.#now();
    const frames = this.#timeline.framesOf(rampMs);
    for (const [name, gain] of Object.entries(given) as [SideName, number][]) {
      this.#timeline.at(frame, () => this.#mixdown.setGain(name, gain, frames));
      this.#liveMix?.setGain(name, gain, rampMs);
    }
  }

  /**
   * Omits the sound from all tracks, the same frames from each, until `resume()`. The frames after
   * the pause follow those before it, their times step, and each track emits `discontinuity` with the reason
   * `'pause'`. The devices stay open. Does nothing while the meeting is paused.
   */
  pause(): void {
    if (this.#paused || this.#isOver) return;
    this.#paused = true;
    this.#timeline.pause(this.#now());
  }

  /** Ends a `pause()`. Does nothing if the meeting is not paused. */
  resume(): void {
    if (!this.#paused || this.#isOver) return;
    this.#paused = false;
    this.#timeline.resume(this.#now());
  }

  /**
   * Ends all tracks at an instant, in ns of `process.hrtime.bigint()`, after the same frame. Tracks that already have
   * more frames end at once. The last call wins.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  stopAt(time: bigint): void {
    this.#stopAt(this.#clock.frameAt(checkTime(time, 'time')));
  }

  /**
   * Stops the meeting now, at the same frame of all tracks. Resolves when the tracks have ended and all devices are
   * released. It does not wait for a reader that has paused. Rejects if the meeting fails before.
   */
  close(): Promise<void> {
    if (!this.#isClosing && !this.#isOver) {
      this.#isClosing = true;
      this.#ladder.stop();
      for (const side of this.#sides) side.stopWaiting();
      this.#stopAt(Math.min(this.#timeline.stop, this.#now()));
    }
    return this.#closed.promise;
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the meeting at once, with an error or without. */
  destroy(error?: Error): void {
    if (this.#isOver) return;
    this.#fail(error ?? closedEarly('The meeting was destroyed'), error !== undefined);
  }

  /**
   * Writes tracks into WAV files, all from the same frame up to the end of the meeting. A file loses nothing while
   * the event loop is blocked for up to 30 s.
   *
   * @returns a promise that resolves when the meeting has ended and all files are complete. It rejects with the first
   *   error. The other files and the meeting continue.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, also for a track that the meeting does not have;
   *   `ERR_STREAM_DESTROYED` after the end of the meeting.
   * @example
   * const files = meeting.toFiles({ mic: 'me.wav', system: 'others.wav', mix: 'call.wav' });
   */
  toFiles(files: MeetingFiles, options?: MeetingFileOptions): Promise<void> {
    if (this.#isOver) throw closed('toFiles()');
    const written = writeFiles(this.tracks, files, options, () => this.#failure);
    const all = new Deferred<void>();
    this.#files.push(all);
    Promise.all(written).then(
      () => all.resolve(),
      (error: Error) => all.reject(error),
    );
    return all.promise;
  }

  /** Returns the counters of the meeting, as a new object at each call. */
  stats(): Readonly<MeetingStats> {
    const stats: MeetingStats = {
      frames: this.#timeline.given,
      lateFrames: this.#lateFrames,
      limiterGain: this.#mixdown.limiterGain,
    };
    for (const { name, feed } of this.#sides) {
      stats[name] = feed.source.stats();
      if (feed.canceller) stats.echo = feed.canceller.stats();
    }
    return stats;
  }

  /** Lets the meeting keep the process alive. This is the default. */
  ref(): this {
    for (const { feed } of this.#sides) feed.source.ref();
    return this;
  }

  /** Lets the process exit while the meeting continues. */
  unref(): this {
    for (const { feed } of this.#sides) feed.source.unref();
    return this;
  }

  /** The source that defines the times of the frames. It is still being read. */
  get #clock(): Feed {
    return (this.#sides.find(({ isOver }) => !isOver) ?? this.#sides[0]).feed;
  }

  #now(): number {
    return this.#clock.frameAt(this.#clock.source.host.now());
  }

  #stopAt(at: number): void {
    if (this.#isOver) return;
    const frame = this.#timeline.stopAt(at);
    for (const side of this.#sides) side.stopAt(frame);
    this.#timeline.advance();
  }

  #everyTrack(): MeetingTrack[] {
    // A side's track has more events, which are not emitted here.
    return Object.values(this.tracks) as MeetingTrack[];
  }

  #isHeard(name: SideName): boolean {
    return this.#mode === 'both' || this.#mode === name;
  }

  #asOwner(): SideOwner {
    return {
      advance: () => this.#timeline.advance(),
      fed: (side) => this.#liveMix?.feed(side),
      isTrying: (side) => this.#ladder.isClimbing(side),
      changed: (side, change) => {
        const { name } = side;
        callListeners(() => this.tracks[name]?.emit('state', change));
        callListeners(() => this.emit('state', { side: name, ...change }));
        if (change.evidence) this.#ladder.climb(side, change.evidence);
      },
      lost: (side, error) => this.#sideLost(side, error),
      passOn: (side, event, ...values) => this.#passOn(side, event, ...values),
      late: ({ name }, frame, frames) => {
        this.#lateFrames += frames;
        this.#lost({ frame, frames, filled: true, reason: 'late' }, name);
      },
      warning: (warning) => callListeners(() => this.emit('warning', warning)),
    };
  }

  #passOn<E extends keyof PassedOn>(side: Side, event: E, ...values: PassedOn[E]): void {
    if (event === 'discontinuity') {
      const gap = this.#inTracks(values[0] as Discontinuity);
      // All streams skip the same seconds of sleep.
      const isOfAll = gap.reason === 'sleep';
      if (!isOfAll) this.#lost(gap, side.name);
      else if (side === this.#sides[0]) this.#lost(gap);
    } else {
      const track = this.tracks[side.name] as { emit(event: E, ...values: PassedOn[E]): void };
      callListeners(() => track.emit(event, ...values));
      // After a change of device the strategies are tried again.
      const { evidence } = side.condition;
      if (event === 'deviceChange' && evidence) this.#ladder.climb(side, evidence);
    }
  }

  /** Converts a discontinuity to frames of the tracks. Frames that a pause omits are no loss. */
  #inTracks({ frame, frames, filled, reason }: Discontinuity): Discontinuity {
    const from = this.#map.toTrack(frame);
    const until = filled ? this.#map.toTrack(frame + frames) : from + frames;
    return { frame: from, frames: until - from, filled, reason };
  }

  /** @param name the name of the track concerned; undefined means all tracks. */
  #lost(event: Discontinuity, name?: SideName): void {
    if (event.frames <= 0) return;
    const named = name && (this.tracks[name] as MeetingTrack | undefined);
    for (const track of named ? [named] : this.#everyTrack()) {
      callListeners(() => track.emit('discontinuity', event));
    }
  }

  #opened(): void {
    if (this.#isOver) return;
    this.#isReady = true;
    this.#ready.resolve(this);
    for (const track of this.#everyTrack()) track.opened();
    callListeners(() => this.emit('ready'));
  }

  #sideLost({ condition, end }: Side, error: Error | undefined): void {
    const isStopped = this.#isClosing || end >= this.#timeline.stop;
    if (isStopped || this.#isOver || !this.#isReady) return; // `ready` reports it
    if (!error) condition.gone(new AudioError('ERR_AUDIO_PROCESS_NOT_FOUND', programsGone));
    if (!this.#sides.every(({ isOver }) => isOver)) return;
    if (error) this.#fail(error);
    else this.#stopAt(this.#now());
  }

  async #finish(): Promise<void> {
    for (const track of this.#everyTrack()) track.finish();
    await Promise.all([
      ...this.#everyTrack().map((track) => track.close().catch(() => {})),
      ...this.#sides.map((side) => side.close()),
    ]);
    this.#end();
  }

  #fail(error: Error, isError = true): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ladder.stop();
    this.#failure = error;
    for (const track of this.#everyTrack()) track.fail(error);
    this.#ready.reject(error);
    const closing = Promise.all(this.#sides.map((side) => side.close()));
    void closing.then(() => {
      const waiting = [this.#ready, this.#closed, ...this.#files];
      const isTold = !isError || waiting.some((one) => one.delivers(error));
      this.#closed.reject(error);
      if (!isTold || (isError && this.listenerCount('error') > 0)) {
        callListeners(() => this.emit('error', error));
      }
      this.#end();
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#plan.signal?.removeEventListener('abort', this.#onAbort);
    void this.#liveMix?.mixer.close();
    this.#ready.reject(closedEarly('The meeting was closed before its devices were open'));
    this.#closed.resolve();
    callListeners(() => this.emit('close'));
  }
}

const usualRampMs = 10;
const programsGone = 'the programs that were captured have ended';
