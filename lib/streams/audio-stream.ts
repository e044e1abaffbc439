import type { AudioFormat } from '../format/format.js';

/** The members that all streams of this package have, beside those of Node's streams. */
export interface AudioStream {
  /**
   * The format of the stream's bytes. It does not change once it is known.
   *
   * @throws `ERR_AUDIO_FORMAT_UNKNOWN` while it depends on a file's header or a piped stream
   *   that has not arrived yet: await `ready`.
   */
  readonly format: Readonly<AudioFormat>;
  /** Whether audio passes at the pace of a clock, not as fast as it is read or written. */
  readonly live: boolean;
  /** Resolves when the format is known and audio can flow. Never raises `unhandledRejection`. */
  readonly ready: Promise<this>;
  /** Frames read from a readable, or written to a writable, so far. */
  readonly position: number;
  /**
   * When a frame was heard (a source) or is played (a sink): nanoseconds on the clock of
   * `process.hrtime.bigint()`.
   *
   * @throws `ERR_AUDIO_UNSUPPORTED` for a stream that is not live: its frames have no time.
   */
  timeAt(frame: number): bigint;
  /**
   * The frame at a time: the inverse of `timeAt`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`; `ERR_AUDIO_UNSUPPORTED` for a stream that is not live.
   */
  frameAt(time: bigint): number;
  /** Counters since the stream was made; a new object at each call. */
  stats(): Readonly<object>;
  /** Ends the stream: delivers what is under way, then releases everything. */
  close(): Promise<void>;
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Lets the open stream keep the process alive, as it does when made. */
  ref(): this;
  /** Lets the process exit although the stream is open. */
  unref(): this;
}
