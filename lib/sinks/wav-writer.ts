import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import { deliverError, rejectsWith, whenClosed } from '../streams/closing.js';
import { Deferred } from '../engine/deferred.js';
import { AudioError, closedEarly } from '../errors.js';
import { bytesPerFrame, optionalFormat, formatNotYet, type AudioFormat } from '../format/format.js';
import { bextChunk, timeOfDay } from '../format/bext.js';
import { filePortionMs, startsAt, writesFile } from '../streams/file-destination.js';
import { claimForWriting } from '../streams/open-files.js';
import { TypedWritable, type WritableEvents } from '../engine/typed-events.js';
import { isEmpty, partialFrame, WrittenFormat } from '../streams/written-format.js';
import {
  checkAbortSignal,
  checkChunk,
  checkPath,
  checkBoolean,
  checkOptions,
  unsupported,
} from '../validate.js';
import { wavHeader } from '../format/wav-header.js';

/** Options of a {@link WavWriter}. */
export interface WavWriterOptions {
  /**
   * Format of the written bytes. A piped stream's own format takes precedence. @default the format of the stream that
   * is piped in
   */
  format?: AudioFormat | undefined;
  /**
   * Whether the file gets a `bext` chunk (Broadcast Wave, EBU Tech 3285), by which editors align files. It contains the
   * time of day at which the first frame was heard, or was written if frames have no time.
   * @default false
   */
  timeReference?: boolean | undefined;
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

/** Counters of a {@link WavWriter}. */
export interface WavWriterStats {
  /** Frames in the file. */
  framesWritten: number;
  /** Bytes in the file, including the header. */
  fileBytes: number;
}

type Done = (error?: Error | null) => void;

// Less than the time between two portions of a live stream: the header then counts each of them as soon as it is stored.
const sizesEveryMs = filePortionMs - 50;

/**
 * Writes a WAV file that is valid at any time after its first frame. The sizes in the header are updated when audio is
 * stored, at most five times a second. A live stream is stored four times a second: a recording whose process is killed
 * lacks at most the last quarter of a second, and the audio that waited for a blocked event loop. Beyond 4 GiB the file
 * becomes RF64.
 *
 * An existing file is replaced. If this process reads or writes that file, the stream fails with `ERR_AUDIO_UNSUPPORTED`.
 * If a stream of that file was destroyed, or has stored all its frames, the new stream waits until the file is closed.
 * A stream whose path names a pipe fails with the same error, because the header of a pipe cannot be updated; use a {@link WavEncoder} for pipes.
 *
 * A frame may arrive in several writes. If the audio ends within a frame, the stream stores the whole frames and fails
 * with `ERR_AUDIO_PARTIAL_FRAME`. Bytes of unknown format fail with `ERR_AUDIO_FORMAT_UNKNOWN`, and a later stream with
 * another format fails with `ERR_AUDIO_FORMAT_UNSUPPORTED`. If no frame is written, the file is a WAV of no frames; its
 * format is the default one if no other is known.
 *
 * @example
 * await pipeline(new MicSource({ durationMs: 5000 }), WavWriter.toFile('mic.wav'));
 */
export class WavWriter extends TypedWritable<WritableEvents> implements AudioStream {
  /** @internal */
  readonly [writesFile] = 'portions';
  readonly live = false;
  readonly #ready = rejectsWith(this, new Deferred<this>());
  readonly ready: Promise<this> = this.#ready.promise;
  /** The path of the file. */
  readonly path: string | URL;
  readonly #written: WrittenFormat;
  #file: FileHandle | undefined;
  #releaseFile: (() => void) | undefined;
  #begun: Readonly<AudioFormat> | undefined; // the format in the file's header
  readonly #hasTimeReference: boolean;
  #start: { frame: number; time: bigint | undefined; date: Date } | undefined;
  #headerBytes = 0;
  #dataBytes = 0;
  #half: Buffer = Buffer.alloc(0);
  #writing: Promise<void> = Promise.resolve();
  #finishing = false;
  #sizesAt = -Infinity;
  #sizesTimer: NodeJS.Timeout | undefined;
  #sizesUpdate: Promise<void> = Promise.resolve();

  /**
   * @param path the path of the file. If it cannot be opened, the stream fails with Node's own error, for example
   *   `EACCES`.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  constructor(path: string | URL, options?: WavWriterOptions) {
    checkPath(path, 'path');
    const given = checkOptions(options, 'WavWriter', ['format', 'timeReference', 'signal']);
    const { format, timeReference = false, signal } = given;
    checkBoolean(timeReference, 'options.timeReference');
    const declared = optionalFormat(format, 'options.format');
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    super({ highWaterMark: 256 * 1024 });
    this.path = path;
    this.#hasTimeReference = timeReference;
    this.#written = new WrittenFormat(this, `WavWriter of ${String(path)}`, declared);
    if (signal) addAbortSignal(signal, this);
  }

  /** Creates a `WavWriter`. Throws the same errors as the constructor. */
  static toFile(path: string | URL, options?: WavWriterOptions): WavWriter {
    return new WavWriter(path, options);
  }

  /** @throws `ERR_AUDIO_FORMAT_UNKNOWN` until the first frame, unless it was declared. */
  get format(): Readonly<AudioFormat> {
    const format = this.#written.expected;
    if (!format) throw formatNotYet('WavWriter');
    return format;
  }

  /**
   * The index of the file's first frame in the stream that is piped in, which may have begun earlier. It is 0 for written
   * bytes, and undefined before the first frame.
   */
  get startFrame(): number | undefined {
    return this.#start?.frame;
  }

  /**
   * When the file's first frame was heard, in ns of `process.hrtime.bigint()`. It is undefined before the first frame,
   * and if frames have no time.
   */
  get startTime(): bigint | undefined {
    return this.#start?.time;
  }

  /** @internal */
  [startsAt](frame: number, time: bigint | undefined): void {
    if (this.#start) return;
    const agoNs = time === undefined ? 0n : process.hrtime.bigint() - time;
    this.#start = { frame, time, date: timeOfDay(agoNs) };
  }

  /** Frames in the file. */
  get framesWritten(): number {
    return this.#begun ? this.#dataBytes / bytesPerFrame(this.#begun) : 0;
  }

  get position(): number {
    return this.framesWritten;
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a file have no time. */
  timeAt(_frame: number): bigint {
    throw unsupported('timeAt of a WavWriter', 'the frames of a file have no time');
  }

  /** @throws `ERR_AUDIO_UNSUPPORTED`: the frames of a file have no time. */
  frameAt(_time: bigint): number {
    throw unsupported('frameAt of a WavWriter', 'the frames of a file have no time');
  }

  stats(): Readonly<WavWriterStats> {
    return { framesWritten: this.framesWritten, fileBytes: this.#headerBytes + this.#dataBytes };
  }

  /** Stores all written bytes, completes the header and closes the file. Rejects if that fails. */
  close(): Promise<void> {
    const done = whenClosed(this);
    this.#written.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    return done;
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: an open file does not keep the process alive, and a pending write always finishes. */
  ref(): this {
    return this;
  }

  /** Does nothing: an open file does not keep the process alive, and a pending write always finishes. */
  unref(): this {
    return this;
  }

  override _construct(done: Done): void {
    settle(this.#open(), done);
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    settle((this.#writing = this.#store([bytes])), done);
  }

  override _writev(items: { chunk: Buffer }[], done: Done): void {
    settle((this.#writing = this.#store(items.map(({ chunk }) => chunk))), done);
  }

  override _final(done: Done): void {
    this.#finishing = true;
    settle(this.#finish(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    deliverError(this, error);
    this.#ready.reject(error ?? closedEarly('The WavWriter was closed before its first frame'));
    this.#release().then(
      () => done(error),
      (failure: Error) => done(error ?? failure),
    );
  }

  // The format is that of the stream that is piped in now. When the bytes are written to the disk, that stream may be
  // gone.
  override write(bytes: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const start = this.#start;
    if (!isEmpty(bytes)) {
      this[startsAt](0, undefined); // has no effect if a pipe has called it before
      try {
        this.#written.settle();
      } catch (error) {
        this.destroy(error as Error);
      }
    }
    try {
      return super.write(bytes, encoding as BufferEncoding, done);
    } catch (error) {
      this.#start = start; // the chunk was invalid
      throw error;
    }
  }

  async #open(): Promise<void> {
    // Checked before the open, because opening a pipe waits until another process reads it. A missing file is created.
    const before = await stat(this.path).catch(() => undefined);
    if (before?.isFIFO() || before?.isSocket()) {
      throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${String(this.path)} is a pipe, not a file`, {
        remedy:
          'WavWriter rewrites the header of its file, which is not possible in a pipe. ' +
          'Pipe the audio through a WavEncoder into fs.createWriteStream()',
      });
    }
    // The file is not truncated yet, because this process may be reading it.
    this.#file = await open(this.path, constants.O_WRONLY | constants.O_CREAT);
    const stats = await this.#file.stat({ bigint: true });
    const claimed = await claimForWriting(stats, () => this.#finishing || this.destroyed);
    if (typeof claimed === 'string') {
      await this.#file.close();
      this.#file = undefined;
      throw new AudioError(
        'ERR_AUDIO_UNSUPPORTED',
        `${String(this.path)} cannot be written: this process is ${claimed} the same file`,
        { remedy: 'Write to another file, and rename it when both are closed' },
      );
    }
    this.#releaseFile = claimed;
    if (stats.isFile()) await this.#file.truncate();
    const format = this.#written.settled ?? this.#written.declared;
    if (format) await this.#begin(format);
  }

  async #begin(format: Readonly<AudioFormat>): Promise<void> {
    const header = this.#header(format);
    await this.#writeAt(header, 0);
    this.#begun = format;
    this.#headerBytes = header.length;
    this.#ready.resolve(this);
  }

  async #store(pieces: Buffer[]): Promise<void> {
    pieces.forEach(checkChunk);
    if (pieces.every(isEmpty)) return;
    const format = this.#written.settled ?? this.#written.settle(); // the bytes of end(bytes) do not pass write()
    if (this.#begun !== format) await this.#begin(format);
    const bytes = Buffer.concat([this.#half, ...pieces]);
    const whole = bytes.length - (bytes.length % bytesPerFrame(format));
    this.#half = bytes.subarray(whole);
    if (whole === 0) return;
    await this.#writeAt(bytes.subarray(0, whole), this.#headerBytes + this.#dataBytes);
    this.#dataBytes += whole;
    if (performance.now() - this.#sizesAt >= sizesEveryMs) {
      await this.#sizesUpdate;
      await this.#writeSizes();
      return;
    }
    this.#sizesTimer ??= setTimeout(() => {
      this.#sizesTimer = undefined;
      this.#sizesUpdate = this.#writeSizes().catch((error: Error) => void this.destroy(error));
    }, sizesEveryMs).unref();
  }

  async #finish(): Promise<void> {
    const format = this.#written.final;
    if (this.#begun !== format) await this.#begin(format);
    // RIFF pads chunks to even lengths. The size of a chunk does not include the padding.
    if (this.#dataBytes % 2) {
      await this.#writeAt(Buffer.alloc(1), this.#headerBytes + this.#dataBytes);
    }
    await this.#writeSizes();
    if (this.#half.length > 0) throw partialFrame(String(this.path), this.#half.length, format);
  }

  async #release(): Promise<void> {
    clearTimeout(this.#sizesTimer);
    await this.#writing.catch(() => {}); // its own callback has reported the error
    clearTimeout(this.#sizesTimer);
    await this.#sizesUpdate;
    if (!this.#file) return;
    try {
      await this.#countWhatIsThere(this.#file);
      await this.#writeSizes();
    } finally {
      await this.#file.close().finally(this.#releaseFile);
    }
  }

  // A failed write, for example on a full disk, may have stored a part of its bytes.
  async #countWhatIsThere(file: FileHandle): Promise<void> {
    if (!this.#begun || !this.errored) return;
    const bytes = (await file.stat()).size - this.#headerBytes;
    this.#dataBytes = Math.max(this.#dataBytes, bytes - (bytes % bytesPerFrame(this.#begun)));
  }

  async #writeSizes(): Promise<void> {
    this.#sizesAt = performance.now();
    if (this.#begun) await this.#writeAt(this.#header(this.#begun), 0);
  }

  #header(format: Readonly<AudioFormat>): Buffer {
    const start = this.#start?.date ?? timeOfDay(0n);
    const bext = this.#hasTimeReference ? bextChunk(start, format.sampleRate) : undefined;
    return wavHeader(format, this.#dataBytes, bext);
  }

  async #writeAt(bytes: Buffer, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += (await this.#file!.write(bytes, done, left, position + done)).bytesWritten;
    }
  }
}

function settle(promise: Promise<void>, done: Done): void {
  promise.then(
    () => done(),
    (error: Error) => done(error),
  );
}
