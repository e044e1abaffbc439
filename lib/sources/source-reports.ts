import type { AudioDevice } from '../devices/devices.js';
import type { DeviceEvents } from '../devices/device-keeper.js';
import type { AudioReadableEvents } from '../streams/audio-readable.js';
import type { LinkStats } from '../streams/outlet.js';

/** Counters of a source. Frames are at the rate of the stream. */
export interface SourceStats {
  /** Frames on the timeline so far. */
  frames: number;
  /** Packets that the device delivered. */
  packets: number;
  /** How often the device or the system lost audio, which became silence. */
  discontinuities: number;
  /** Frames that the device or the system lost. */
  lostFrames: number;
  /**
   * Frames of silence that are not a loss: before the device was open, or while a loopback was idle. If sound arrives
   * too late for its place there, its frames count as `lostFrames` instead.
   */
  silentFrames: number;
  /** Frames that the stream skipped, see `maxFillMs`. */
  skippedFrames: number;
  /** Frames that arrived after silence had taken their place. */
  trimmedFrames: number;
  /** Discontinuities that the system reported. Many systems report them without a loss. */
  systemHints: number;
  /** How much faster than the host's clock the device runs, in ppm. Negative if it is slower. */
  driftPpm: number;
  /** Whether the packets of the device have timestamps. Otherwise their times of arrival are used. */
  deviceStamps: boolean;
  /**
   * The device's volume on the system's scale, 0 to 1, if the system reports it. For programs the highest of their
   * volumes.
   */
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
  /**
   * The system mutes the device, or all captured programs. Also emitted if they were muted before they were opened. A
   * microphone or a program that is muted is silent. On Windows a loopback may contain sound although its output is
   * muted: that depends on the driver of the output. `level()` measures what the stream receives.
   */
  mute: [];
  /** The system no longer mutes the device, or one of the captured programs. */
  unmute: [];
  /** For about 2 s the stream has not received the sound of its device. The stream continues. */
  dead: [event: { evidence: DeadEvidence; frame: number }];
  /** The stream receives the sound of its device again. */
  alive: [];
  /**
   * The device has delivered nothing for a quarter of a second. Either it hangs, or nothing plays on the output of a
   * loopback. The stream continues. When a microphone delivers again, the missed frames are reported by `discontinuity`.
   */
  stall: [event: { frame: number }];
  /** The device delivers again. */
  flow: [event: { frame: number }];
  /**
   * Only of a `LoopbackSource`: other programs play at other outputs than the recorded one, so the stream does not contain
   * their sound. `devices` are these outputs. Emitted when they have changed, and with an empty array 2 s after the last
   * of them has fallen silent. The stream looks every 500 ms, while the event has a listener. On PulseAudio and PipeWire a
   * program counts while its stream runs, even if it plays silence.
   */
  elsewhere: [event: { devices: AudioDevice[] }];
  /** The result of `level()`, every 100 ms while the event has a listener. */
  level: [level: { peakDb: number; rmsDb: number }];
}

/**
 * Why a stream is considered dead.
 *
 * - `'zeros'`: the device's own meter moves, but the stream receives nothing, or only zeros.
 * - `'no-packets'`: a microphone delivers nothing at all.
 *
 * A stream is not dead because of zeros while the device is muted, while its meter does not move, or on a system without
 * meters (PulseAudio). For captured programs the meter of the loudest one counts. On Windows some programs protect their
 * audio, and a capture of them receives zeros; a `LoopbackSource` of their output may still record them.
 */
export type DeadEvidence = 'zeros' | 'no-packets';
