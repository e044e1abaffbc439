import type { AudioFormat } from '../format/format.js';

/** The members that all streams of this package have in addition to those of Node's streams. */
export interface AudioStream {
  /**
   * The format of the stream's bytes. It does not change once it is known.
   *
   * @throws `ERR_AUDIO_FORMAT_UNKNOWN` while the header of a file or a piped stream, which determines the format, has not
   *   arrived: await `ready`.
   */
  readonly format: Readonly<AudioFormat>;
  /** Whether audio flows at the pace of a clock, not as fast as it is read or written. */
  readonly live: boolean;
  /** Resolves when the format is known and audio can flow. Its rejection never causes an `unhandledRejection`. */
  readonly ready: Promise<this>;
  /** Frames that were read from a readable, or written to a writable. */
  readonly position: number;
  /**
   * When a source heard a frame, or a sink plays it, in ns of `process.hrtime.bigint()`.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` for a stream that is not live, because its frames have no time.
   */
  timeAt(frame: number): bigint;
  /**
   * The frame at a time. This is the inverse of `timeAt()`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_AUDIO_UNSUPPORTED` for a stream that is not live.
   */
  frameAt(time: bigint): number;
  /** Returns the counters of the stream, as a new object at each call. */
  stats(): Readonly<object>;
  /** Ends the stream. It delivers the audio that it has, then releases everything. */
  close(): Promise<void>;
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Lets the open stream keep the process alive. This is the default. */
  ref(): this;
  /** Lets the process exit while the stream is open. */
  unref(): this;
}
