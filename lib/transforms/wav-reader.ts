import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { addAbortSignal, type TransformCallback } from 'node:stream';

import { callListeners } from '../engine/call-listeners.js';
import type { AudioStream } from '../streams/audio-stream.js';
import {
  checkChunkOptions,
  Chunker,
  chunkOptionNames,
  type ChunkOptions,
} from '../streams/chunker.js';
import {
  closing,
  deliverError,
  discardUnread,
  noteUnpiped,
  rejectsWith,
  untilTaken,
} from '../streams/closing.js';
import { countChunks } from '../streams/encoding.js';
import { Deferred } from '../engine/deferred.js';
import { AudioError, closedEarly } from '../errors.js';
import type { AudioFormat } from '../format/format.js';
import { Upstream } from '../streams/upstream.js';
import { checkAbortSignal, checkChunk, checkOptions, checkPath, unsupported } from '../validate.js';
import { claimForReading } from '../streams/open-files.js';
import { WavParser, type WavWarning } from './wav-parser.js';
import {
  TypedTransform,
  type ReadableEvents,
  type WritableEvents,
} from '../engine/typed-events.js';

/** Options of a {@link WavReader}. */
export interface WavReaderOptions extends ChunkOptions {
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

/** Counters of a {@link WavReader}. */
export interface WavReaderStats {
  /** Frames that were read from the stream; the same as `position`. */
  framesRead: number;
  /** The number of frames in the header; undefined if the header was written before the length was known. */
  declaredFrames: number | undefined;
  /** Bytes of an incomplete last frame, as in a truncated file. They are not delivered. */
  partialFrameBytes: number;
}

/** Events of a {@link WavReader}, beside those of every Transform. */
export interface WavReaderEvents extends ReadableEvents, WritableEvents {
  /** The header has been read. */
  format: [format: Readonly<AudioFormat>];
  /** The file contradicts itself. The message says how it was read. */
  warning: [warning: WavWarning];
}

/**
 * Reads the bytes of a WAV file and delivers its audio. It reads RIFF, RF64 and BW64 with PCM of 8 bits
 * (delivered as `s16`), 16, 24 and 32 bits, floats of 32 and 64 bits (delivered as `f32`), and G.711
 * (A-law and mu-law, delivered as `s16`).
 *
 * It also reads files that other programs left unfinished: truncated recordings, and headers whose sizes were never
 * completed or wrapped at 4 GiB. It then emits `warning`. Any other file fails with
 * `ERR_AUDIO_FORMAT_UNSUPPORTED`, and the message names what was found.
 *
 * @example
 * const music = WavReader.fromFile('hold-music.wav');
 * music.on('warning', ({ message }) => console.warn(message));
 * music.pipe(mixer.createInput({ gain: 0.3 }));
 */
export class WavReader extends TypedTransform<WavReaderEvents> implements AudioStream {
  readonly live = false;
  readonly #ready = rejectsWith(this, new Deferred<this>());
  readonly ready: Promise<this> = this.#ready.promise;
  readonly #options: ChunkOptions;
  readonly #upstream = new Upstream(this);
  #parser = this.#parse('the stream');
  #chunker: Chunker | undefined;
  #partialFrameBytes = 0;
  #closing = false;

  /**
   * @param options the chunks: `chunkMs` (10) or `chunkFrames`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  constructor(options?: WavReaderOptions) {
    const given = checkOptions(options, 'WavReader', [...chunkOptionNames, 'signal']);
    const chunkOptions = checkChunkOptions(given);
    if (given.signal !== undefined) checkAbortSignal(given.signal, 'options.signal');
    // Object mode of the readable side keeps Node from merging waiting chunks.
    super({ readableObjectMode: true });
    this.#options = chunkOptions;
    if (given.signal) addAbortSignal(given.signal, this);
  }

  /**
   * Opens a file. If that fails, the stream is destroyed with Node's own error, for example `ENOENT`. If the path names a
   * pipe or a device, the error is `ERR_AUDIO_UNSUPPORTED`: pipe `fs.createReadStream()` of it into a `WavReader`.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  static fromFile(path: string | URL, options?: WavReaderOptions): WavReader {
    checkPath(path, 'path');
    const reader = new WavReader(options);
    try {
      reader.#open(path);
    } catch (error) {
      reader.destroy(error as Error);
    }
    return reader;
  }

  /** The format of the audio. @throws `ERR_AUDIO_FORMAT_UNKNOWN` before the header has been read: await `ready`. */
  get format(): Readonly<AudioFormat> {
    if (!this.#parser.format) throw noHeaderYet();
    return this.#parser.format;
  }

  get position(): number {
    return this.#chunker?.framesBefore(this.readableLength) ?? 0;
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a file have no time. */
  timeAt(_frame: number): bigint {
    throw unsupported('timeAt of a WavReader', 'the frames of a file have no time');
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a file have no time. */
  frameAt(_time: bigint): number {
    throw unsupported('frameAt of a WavReader', 'the frames of a file have no time');
  }

  stats(): Readonly<WavReaderStats> {
    return {
      framesRead: this.position,
      declaredFrames: this.#parser.declaredFrames,
      partialFrameBytes: this.#partialFrameBytes,
    };
  }

  /**
   * Ends the input. Audio that was already read from the file stays readable up to `end`; without a consumer it is
   * discarded. Resolves when the stream has closed. If destinations of `pipe()` read nothing for a second, they receive
   * the rest at once, without backpressure. `close()` waits at most one second for a reader that has paused: the stream
   * closes when that reader has read the rest.
   */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#upstream.detach();
      if (!this.writableEnded) this.end();
      discardUnread(this);
    }
    return closing(this, () => untilTaken(this, () => this.position));
  }

  /** The same as `close()`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: only the stream that is piped into the reader keeps the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing: only the stream that is piped into the reader keeps the process alive. */
  unref(): this {
    return this;
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    noteUnpiped(this, () => super.unpipe(destination));
    return this;
  }

  override setEncoding(encoding: BufferEncoding): this {
    super.setEncoding(encoding);
    countChunks(this);
    return this;
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      checkChunk(bytes);
      for (const audio of this.#parser.push(bytes)) {
        for (const chunk of this.#begin().push(audio)) this.push(chunk);
      }
      // The header may be complete before the first frame.
      if (this.#parser.format) this.#begin();
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    try {
      if (!this.#closing || this.#parser.format) this.#finish();
    } catch (error) {
      done(error as Error);
      return;
    }
    const rest = this.#chunker?.rest();
    if (rest) this.push(rest);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.#ready.reject(error ?? closedEarly('The WavReader was closed before a header arrived'));
    done(error);
  }

  #open(path: string | URL): void {
    // Opened at once, so that a writer that is created next cannot truncate the file first. Without O_NONBLOCK, which
    // Windows lacks, the opening of a FIFO blocks the event loop until another process writes to it.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile() && !stats.isDirectory()) {
      closeSync(fd);
      throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${String(path)} is not a regular file`, {
        remedy: 'Pipe fs.createReadStream() of it into a new WavReader()',
      });
    }
    const file = createReadStream(path, { fd });
    file.on('error', (error: NodeJS.ErrnoException) => {
      // Node omits the path from errors of reading, such as EISDIR.
      if (!error.path)
        Object.assign(error, { path: String(path), message: `${error.message} '${String(path)}'` });
      this.destroy(error);
    });
    const release = claimForReading(stats, () => this.destroyed);
    this.once('close', () => {
      release();
      file.destroy();
    });
    this.#parser = this.#parse(String(path), stats.isFile() ? Number(stats.size) : undefined);
    file.pipe(this);
  }

  #parse(name: string, bytes?: number): WavParser {
    const onWarning = (warning: WavWarning): void =>
      callListeners(() => this.emit('warning', warning));
    return new WavParser({ name, bytes, onWarning });
  }

  #finish(): void {
    const rest = this.#parser.end();
    let step = rest.next();
    for (; !step.done; step = rest.next()) {
      for (const chunk of this.#begin().push(step.value)) this.push(chunk);
    }
    this.#partialFrameBytes = step.value;
  }

  #begin(): Chunker {
    if (!this.#chunker) {
      this.#chunker = new Chunker(this.format, this.#options);
      this.#ready.resolve(this);
      callListeners(() => this.emit('format', this.format));
    }
    return this.#chunker;
  }
}

function noHeaderYet(): AudioError {
  return new AudioError('ERR_AUDIO_FORMAT_UNKNOWN', 'the WavReader has not read a header yet', {
    remedy: 'Await its ready, or listen to its format event',
  });
}
