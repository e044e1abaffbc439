import type { DeviceEvents } from '../devices/device-keeper.js';
import type { AudioReadableEvents } from '../streams/audio-readable.js';
import type { LinkStats } from '../streams/outlet.js';

/** Counters of a source; frames at the stream's rate. */
export interface SourceStats {
  /** Frames on the timeline so far. */
  frames: number;
  /** Packets that the device delivered. */
  packets: number;
  /** How often the device or the system lost audio, which became silence. */
  discontinuities: number;
  /** Frames that the device or the system lost. */
  lostFrames: number;
  /** Frames of silence where nothing was lost: before the device was open, or while a loopback was idle. */
  silentFrames: number;
  /** Frames that were skipped, see `maxFillMs`. */
  skippedFrames: number;
  /** Frames that arrived after silence had taken their place. */
  trimmedFrames: number;
  /** Discontinuities that the system announced. Many systems announce them without a loss. */
  systemHints: number;
  /** How much faster than the host's clock the device runs, ppm; below 0 it is slower. */
  driftPpm: number;
  /** Whether the device stamps its packets with times; otherwise times are those of arrival. */
  deviceStamps: boolean;
  /** The device's volume on the system's scale, 0 to 1, if the system reports it; the highest volume of several programs. */
  deviceVolume?: number;
  /** The last level of the device's own meter, dBFS, if it has one. */
  devicePeakDb?: number;
  /** Frames that the readable side, and loops over `chunks()`, lost because they were too slow. */
  readerLostFrames: number;
  /** The destinations of `pipe()`. */
  link: LinkStats[];
}

/** Events of a source, beside those of every Readable. */
export interface SourceEvents extends AudioReadableEvents, DeviceEvents {
  /** The device is open. */
  ready: [];
  /** The device, or all programs, were muted in the system, now or before they were opened. */
  mute: [];
  /** The device, or one of the programs, is no longer muted in the system. */
  unmute: [];
  /** For about 2 s the stream has not received what its device hears. The stream continues. */
  dead: [event: { evidence: DeadEvidence; frame: number }];
  /** The stream receives again what its device hears. */
  alive: [];
  /**
   * The device has delivered nothing for a quarter of a second: it hangs, or nothing plays to the output of a loopback.
   * The stream continues. Frames that a microphone misses are a `discontinuity` when it delivers again.
   */
  stall: [event: { frame: number }];
  /** The device delivers again. */
  flow: [event: { frame: number }];
  /** The result of `level()`, every 100 ms while the event has a listener. */
  level: [level: { peakDb: number; rmsDb: number }];
}

/**
 * Why a stream is considered dead. `'zeros'`: the device's own meter moves, but the stream receives nothing, or only
 * zeros. `'no-packets'`: a microphone delivers nothing at all. Zeros of a muted device are no evidence, and neither are
 * zeros if the system has no meter (PulseAudio) or the meter does not move. The meter of captured programs is that of
 * the loudest. On Windows some programs protect what they play, and a capture of them receives zeros; a
 * `LoopbackSource` of their output may still hear them.
 */
export type DeadEvidence = 'zeros' | 'no-packets';
