import type { DeviceEvents } from '../devices/device-keeper.js';
import type { WritableEvents } from '../engine/typed-events.js';
import type { SinkWarning } from './hearing-watch.js';

/** Counters of a sink. Frames are at the rate of its first device unless the description says otherwise. */
export interface SinkStats {
  /** Frames that its devices took, or would have taken while the sink had no device. */
  frames: number;
  /** Frames of silence because nothing was linked, or because nothing was written for longer than 100 ms. */
  silentFrames: number;
  /** Frames that were discarded because the sink had no device. */
  discardedFrames: number;
  /** How often the device underran, or a writer paused for up to 100 ms. */
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
  /** How much faster than the host's clock the device runs, in ppm. Negative if it is slower. */
  driftPpm: number;
  /** Frames that JavaScript has written, in the format of the bytes. */
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
  /** How much faster than the device's clock the linked source's clock runs, in ppm. Negative if it is slower. */
  linkDriftPpm?: number;
}

/** Events of a sink, beside those of every Writable. */
export interface SinkEvents extends WritableEvents, DeviceEvents {
  /** The device is open. */
  ready: [];
  /**
   * The sink ran out of audio and played `frames` of silence; 0 if the system does not report how many. `frame` is the
   * `position` at which the silence began. If nothing was written in time, the position includes the silence. If the
   * device was not served in time, it does not.
   */
  underrun: [event: { frame: number; frames: number }];
  /**
   * The sink changed how much audio it holds (`fillMs` of {@link SinkStats}): more after an underrun, or the initial
   * amount again after a long time without one.
   */
  latency: [event: { from: number; to: number; reason: 'underrun' | 'calm' }];
  /** A live producer wrote more than `bufferMs` has room for. The sink discarded `frames`. */
  overrun: [event: { frames: number }];
  /** All written audio has been heard. */
  idle: [];
  /** Other programs cannot hear what the sink plays. Emitted once for each reason, and again if the reason returns. */
  warning: [warning: SinkWarning];
}
