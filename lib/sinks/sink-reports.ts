import type { DeviceEvents } from '../devices/device-keeper.js';
import type { WritableEvents } from '../engine/typed-events.js';
import type { SinkWarning } from './hearing-watch.js';

/** Counters of a sink; frames at the rate of its first device unless said otherwise. */
export interface SinkStats {
  /** Frames that its devices took, or would have taken while the sink had no device. */
  frames: number;
  /** Frames of silence because nothing was linked, or because nothing was written for longer than 100 ms. */
  silentFrames: number;
  /** Frames that were discarded because the sink had no device. */
  discardedFrames: number;
  /** Times that it ran dry although there should have been more, or that a writer went on within 100 ms. */
  underruns: number;
  /** Frames of silence that were played in place of missing audio. */
  underrunFrames: number;
  /** Frames that a live producer wrote for which `bufferMs` had no room. */
  overrunFrames: number;
  /** How much audio the device is asked to hold now, ms: `latencyMs`, and more after underruns. */
  fillMs: number;
  /** Time from the moment at which the engine writes a frame to the moment at which it is heard, ms. */
  deviceLatencyMs: number;
  /** Time from the moment at which the source heard a frame to the moment at which the sink plays it, ms. */
  latencyMs: number | undefined;
  /** How fast the device runs against the host's clock. */
  driftPpm: number;
  /** Bytes written from JavaScript, in frames of their format. */
  writtenFrames?: number;
  /** Written frames that were played. */
  playedFrames?: number;
  /** Written frames that are queued. */
  queuedFrames?: number;
  /** How often frames of linked sources arrived too late. */
  starvations?: number;
  /** Frames of silence that were played instead of those of linked sources. */
  starvedFrames?: number;
  /** How often a linked source jumped to its position in time: after an underrun, or when it was far away from it. */
  resyncs?: number;
  /** Frames of linked sources for which there was no room. */
  lostFrames?: number;
  /** How fast the linked source's clock runs against the device's. */
  linkDriftPpm?: number;
}

/** Events of a sink, beside those of every Writable. */
export interface SinkEvents extends WritableEvents, DeviceEvents {
  /** The device is open. */
  ready: [];
  /**
   * The sink had nothing to play and played `frames` of silence; 0 if the system does not report how many. `frame` is
   * the `position` at which the silence began. Silence because nothing was written in time is part of the position.
   * Silence because the device was not served in time is not: the position stands still meanwhile.
   */
  underrun: [event: { frame: number; frames: number }];
  /**
   * The sink changed how much audio it holds (`fillMs` of {@link SinkStats}): more after an underrun, or the initial
   * amount again after a long time without one.
   */
  latency: [event: { from: number; to: number; reason: 'underrun' | 'calm' }];
  /** A live producer wrote more than `bufferMs` has room for; `frames` were thrown away. */
  overrun: [event: { frames: number }];
  /** Everything that was written has been heard. */
  idle: [];
  /** Other programs cannot hear what the sink plays. Emitted once for each reason, and again if the reason returns. */
  warning: [warning: SinkWarning];
}
