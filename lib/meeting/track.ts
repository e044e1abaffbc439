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
  /** The number of frames, which is the same for all tracks of a meeting. */
  frames: number;
  /** Frames that the readable side, and loops over `chunks()`, lost because they were too slow. */
  readerLostFrames: number;
  /** The destinations of `pipe()`. */
  link: LinkStats[];
}

/** @internal The arguments of a track. */
export interface TrackSetup {
  format: Readonly<AudioFormat>;
  plan: ChunkPlan;
  bufferMs: number | undefined;
  map: TimeMap;
  frames: () => number;
}

/**
 * A track of a meeting. Frame k of one track was heard at the same time as frame k of the others, and all tracks always
 * have the same length. Each consumer has its own position, as with a source. The end of one track does not end the
 * meeting.
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

  /** When a frame was heard, in ns of `process.hrtime.bigint()`. The times step after a pause. */
  timeAt(frame: number): bigint {
    return this.#setup.map.timeAt(checkFrame(frame, 'frame'));
  }

  /** The frame that was heard at a time. For a time within a pause it is the frame after the pause. */
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

  /** Ends only this track. `meeting.close()` ends all tracks at the same frame. */
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

  /** @internal Called when all devices are open. */
  opened(): void {
    this.#ready.resolve(this);
  }

  /** @internal Called when the meeting has failed. Listeners of this track get the error. */
  fail(error: Error): void {
    this.#ready.reject(error);
    this.destroy(this.listenerCount('error') > 0 ? error : undefined);
  }

  /** @internal Called when no more frames follow. */
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
  /** The state of the side has changed. */
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

  /** The state of the side. */
  get state(): SideState {
    return this.#side.condition.state;
  }

  /** The device that the side records, or has recorded until it was lost; undefined until `ready`, and for programs. */
  get device(): AudioDevice | undefined {
    return this.#side.feed.source.device;
  }

  /**
   * Changes to another device. The timeline continues. If the change fails, the side stays on its device. Rejects with
   * `ERR_AUDIO_DEVICE_NOT_FOUND`, and with the errors of opening a device.
   */
  setDevice(device: DeviceSelector): Promise<void> {
    return this.#side.feed.source.setDevice(device);
  }
}
