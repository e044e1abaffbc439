import type { AudioDevice, DeviceSelector } from '../devices/devices.js';
import type { DeviceEvents } from '../devices/device-keeper.js';
import { Deferred } from '../engine/deferred.js';
import { closedEarly } from '../errors.js';
import type { AudioFormat } from '../format/format.js';
import { AudioReadable, type AudioReadableEvents } from '../streams/audio-readable.js';
import type { ChunkPlan } from '../streams/chunker.js';
import { closing, deliverError, rejectsWith, whenClosed } from '../streams/closing.js';
import type { LinkStats } from '../streams/outlet.js';
import { PushedProducer } from '../streams/pushed-producer.js';
import { checkFrame, checkTime } from '../validate.js';
import type { SideChange, SideState } from './condition.js';
import type { Ladder } from './ladder.js';
import type { Side } from './side.js';
import type { Strategy } from './strategies.js';
import type { TimeMap } from './time-map.js';

/** Counters of a track of a meeting. */
export interface MeetingTrackStats {
  /** Frames that the track has; all tracks of a meeting have as many. */
  frames: number;
  /** Frames that the readable side, and loops over `chunks()`, lost because they were too slow. */
  readerLostFrames: number;
  /** Where `pipe()` leads. */
  link: LinkStats[];
}

/** @internal What a track knows of its meeting. */
export interface TrackSetup {
  format: Readonly<AudioFormat>;
  plan: ChunkPlan;
  bufferMs: number | undefined;
  map: TimeMap;
  frames: () => number;
}

/**
 * One track of a meeting. Frame k of one track was heard when frame k of the others was, and all have the same length at
 * any moment. Each consumer has its own place, as with a source. Ending one track does not end the meeting.
 */
export class MeetingTrack<
  Events extends AudioReadableEvents = AudioReadableEvents,
> extends AudioReadable<Events> {
  readonly live = true;
  readonly #ready = rejectsWith(this, new Deferred<this>());
  /** Resolves when all devices of the meeting are open. */
  readonly ready: Promise<this> = this.#ready.promise;
  /** @internal */
  readonly producer: PushedProducer;
  readonly #setup: TrackSetup;

  /** @internal */
  constructor(setup: TrackSetup) {
    super(setup);
    this.#setup = setup;
    this.producer = new PushedProducer(setup.format);
  }

  /** @internal */
  get host(): undefined {
    return undefined;
  }

  /** When a frame was heard, ns of `process.hrtime.bigint()`. Behind a pause the times step. */
  timeAt(frame: number): bigint {
    return this.#setup.map.timeAt(checkFrame(frame, 'frame', this.format.sampleRate));
  }

  /** The frame that was heard at a time; for a time within a pause, the frame behind it. */
  frameAt(time: bigint): number {
    return this.#setup.map.frameAt(checkTime(time, 'time'));
  }

  stats(): Readonly<MeetingTrackStats> {
    return {
      frames: this.#setup.frames(),
      readerLostFrames: this.lostByReader(),
      link: this.linkStats(),
    };
  }

  /** Ends this track alone. `meeting.close()` ends all of them at one frame. */
  close(): Promise<void> {
    if (this.destroyed) return whenClosed(this);
    return closing(this, async () => {
      this.finish();
      await this.untilTaken();
    });
  }

  /** Does nothing: the meeting keeps the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing: the meeting keeps the process alive. */
  unref(): this {
    return this;
  }

  /** @internal All devices are open. */
  opened(): void {
    this.#ready.resolve(this);
  }

  /** @internal The meeting has failed: whoever listens to this track is told. */
  fail(error: Error): void {
    this.#ready.reject(error);
    this.destroy(this.listenerCount('error') > 0 ? error : undefined);
  }

  /** @internal No more frames follow. */
  finish(): void {
    this.producer.end();
    this.producerEnded();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.producer.end();
    this.releaseConsumers();
    this.#ready.reject(
      error ?? closedEarly('The track was closed before the devices of its meeting were open'),
    );
    done(error);
  }
}

/** Events of the microphone's track and of the system's track. */
export interface MeetingSideEvents extends AudioReadableEvents, DeviceEvents {
  /** The side hears something else than before. */
  state: [change: SideChange];
}

/** The track of one side of a meeting. */
export class MeetingSide extends MeetingTrack<MeetingSideEvents> {
  readonly #side: Side;
  readonly #ladder: Ladder;

  /** @internal */
  constructor(setup: TrackSetup, side: Side, ladder: Ladder) {
    super(setup);
    this.#side = side;
    this.#ladder = ladder;
  }

  /** How the side is captured now. An app may give it as the first `strategy` of its next meeting. */
  get strategy(): Strategy {
    return this.#ladder.strategyOf(this.#side.name);
  }

  /** What the side hears. */
  get state(): SideState {
    return this.#side.condition.state;
  }

  /** The device that is heard, or was until it went; undefined until `ready`, and for programs. */
  get device(): AudioDevice | undefined {
    return this.#side.feed.source.device;
  }

  /**
   * Goes on with another device; the timeline goes on unbroken. Rejects with `ERR_AUDIO_DEVICE_NOT_FOUND`, and with
   * what opening a device fails with; then the side stays as it was.
   */
  setDevice(device: DeviceSelector): Promise<void> {
    return this.#side.feed.source.setDevice(device);
  }
}
