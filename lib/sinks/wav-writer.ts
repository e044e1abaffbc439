import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import { deliverError, rejectsWith, whenClosed } from '../streams/closing.js';
import { Deferred } from '../engine/deferred.js';
import { AudioError, closedEarly } from '../errors.js';
import {
  bytesPerFrame,
  optionalFormat,
  formatUnknown,
  type AudioFormat,
} from '../format/format.js';
import { bextChunk, timeOfDay } from '../format/bext.js';
import { filePortionMs, startsAt, writesFile } from '../streams/file-destination.js';
import { claimForWriting } from '../streams/open-files.js';
import { TypedWritable, type WritableEvents } from '../engine/typed-events.js';
import { partialFrame, WrittenFormat } from '../streams/written-format.js';
import {
  checkAbortSignal,
  checkBoolean,
  checkOptions,
  invalidType,
  unsupported,
} from '../validate.js';
import { wavHeader } from '../format/wav-header.js';

/** Options of a {@link WavWriter}. */
export interface WavWriterOptions {
  /** Format of the bytes written. @default that of the stream which is piped in, and that wins */
  format?: AudioFormat | undefined;
  /**
   * Whether the file gets a `bext` chunk (Broadcast Wave, EBU Tech 3285), by which editors place it: the time of
   * day at which its first frame was heard, or written where frames have no time.
   * @default false
   */
  timeReference?: boolean | undefined;
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

/** Counters of a {@link WavWriter}. */
export interface WavWriterStats {
  /** Frames that are in the file. */
  framesWritten: number;
  /** Bytes of the file, header included. */
  fileBytes: number;
}

type Done = (error?: Error | null) => void;

// A live stream brings a portion four times a second, and no frame is to wait longer than a second.
const sizesEveryMs = 1000 - filePortionMs;

/**
 * Writes a WAV file that is valid at any moment from its first frame on: the sizes in the header
 * follow what is written at most one second later, so that a recording whose process is killed loses
 * at most its last second, and what an event loop that is blocked has kept waiting. (Killed within the first one, its header counts no frames: a `WavReader`
 * gives them all the same.) Past 4 GiB the file becomes RF64. One that exists is replaced, unless this
 * process is reading or writing it: then the stream fails with `ERR_AUDIO_UNSUPPORTED`. So does one whose
 * path names a pipe, which cannot be rewritten: send the bytes through a {@link WavEncoder} instead.
 *
 * A frame may arrive in pieces; ending within one is `ERR_AUDIO_PARTIAL_FRAME`, after the whole
 * frames have been stored. Bytes of unknown format fail with `ERR_AUDIO_FORMAT_UNKNOWN`, a stream of
 * another format piped in later with `ERR_AUDIO_FORMAT_UNSUPPORTED`.
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
  /** The file that is written. */
  readonly path: string | URL;
  readonly #written: WrittenFormat;
  #file: FileHandle | undefined;
  #releaseFile: (() => void) | undefined;
  #begun: Readonly<AudioFormat> | undefined; // what the header in the file says
  readonly #hasTimeReference: boolean;
  #start: { frame: number; time: bigint | undefined; date: Date } | undefined;
  #headerBytes = 0;
  #dataBytes = 0;
  #half: Buffer = Buffer.alloc(0);
  #writing: Promise<void> = Promise.resolve();
  #sizesTimer: NodeJS.Timeout | undefined;
  #sizesUpdate: Promise<void> = Promise.resolve();

  /**
   * @param path of the file; a failure to open it is Node's own error, `EACCES` for example.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`.
   */
  constructor(path: string | URL, options?: WavWriterOptions) {
    if (typeof path !== 'string' && !(path instanceof URL)) {
      throw invalidType('path', 'of type string or an instance of URL', path);
    }
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

  /** Creates a `WavWriter`; throws as the constructor does. */
  static toFile(path: string | URL, options?: WavWriterOptions): WavWriter {
    return new WavWriter(path, options);
  }

  /** @throws `ERR_AUDIO_FORMAT_UNKNOWN` until the first frame, unless it was declared. */
  get format(): Readonly<AudioFormat> {
    const format = this.#written.expected;
    if (!format) throw formatUnknown('WavWriter');
    return format;
  }

  /**
   * The index of the file's first frame in the stream that was piped in, which may have begun earlier; 0 for
   * bytes that were written, undefined before the first frame.
   */
  get startFrame(): number | undefined {
    return this.#start?.frame;
  }

  /**
   * When the file's first frame was heard, ns of `process.hrtime.bigint()`; undefined before the first frame, and
   * where frames have no time.
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

  /** Frames that are in the file. */
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

  /** Stores what was written, completes the header, closes the file; rejects if that fails. */
  close(): Promise<void> {
    const done = whenClosed(this);
    this.#written.keep(); // of a stream that has brought nothing yet
    this.#written.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    return done;
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does nothing: an open file keeps no process alive, a write under way is always finished. */
  ref(): this {
    return this;
  }

  /** Does nothing: an open file keeps no process alive, a write under way is always finished. */
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

  // The format is that of the stream piped in at the time of the write: when the bytes get their turn
  // on the disk, that stream may be gone.
  override write(bytes: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    this[startsAt](0, undefined); // unless it was told before
    try {
      this.#written.settle();
    } catch (error) {
      this.destroy(error as Error);
    }
    return super.write(bytes, encoding as BufferEncoding, done);
  }

  async #open(): Promise<void> {
    // Before the open, which waits at a pipe until somebody reads it. What does not exist is made.
    const before = await stat(this.path).catch(() => undefined);
    if (before?.isFIFO() || before?.isSocket()) {
      throw new AudioError('ERR_AUDIO_UNSUPPORTED', `${String(this.path)} is a pipe, not a file`, {
        remedy:
          'The header of a WAV file is rewritten as it grows, which a pipe cannot do: ' +
          'send the audio through a WavEncoder into fs.createWriteStream()',
      });
    }
    // Not emptied yet: somebody may be reading it.
    this.#file = await open(this.path, constants.O_WRONLY | constants.O_CREAT);
    const stats = await this.#file.stat({ bigint: true });
    const claimed = claimForWriting(stats);
    if (typeof claimed === 'string') {
      await this.#file.close();
      this.#file = undefined;
      throw new AudioError(
        'ERR_AUDIO_UNSUPPORTED',
        `${String(this.path)} cannot be written: this process is ${claimed} the same file`,
        { remedy: 'Write another file, and rename it when both are closed' },
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
    const format = this.#written.settled ?? this.#written.settle(); // end(bytes) does not come by write()
    if (this.#begun !== format) await this.#begin(format);
    const bytes = Buffer.concat([this.#half, ...pieces]);
    const whole = bytes.length - (bytes.length % bytesPerFrame(format));
    this.#half = bytes.subarray(whole);
    if (whole === 0) return;
    await this.#writeAt(bytes.subarray(0, whole), this.#headerBytes + this.#dataBytes);
    this.#dataBytes += whole;
    this.#sizesTimer ??= setTimeout(() => {
      this.#sizesTimer = undefined;
      this.#sizesUpdate = this.#writeSizes().catch((error: Error) => void this.destroy(error));
    }, sizesEveryMs).unref();
  }

  async #finish(): Promise<void> {
    const format = this.#written.expected;
    if (!format) return; // not one byte came: nothing is unknown, and the file is empty
    if (this.#begun !== format) await this.#begin(format);
    // Chunks have even lengths in RIFF; the padding is not counted in the chunk's own size.
    if (this.#dataBytes % 2) {
      await this.#writeAt(Buffer.alloc(1), this.#headerBytes + this.#dataBytes);
    }
    await this.#writeSizes();
    if (this.#half.length > 0) throw partialFrame(String(this.path), this.#half.length, format);
  }

  async #release(): Promise<void> {
    clearTimeout(this.#sizesTimer);
    await this.#writing.catch(() => {}); // has been reported by its own callback
    clearTimeout(this.#sizesTimer);
    await this.#sizesUpdate;
    if (!this.#file) return;
    try {
      await this.#countWhatIsThere(this.#file);
      await this.#writeSizes();
    } finally {
      await this.#file.close();
      this.#releaseFile?.();
    }
  }

  // A write that failed, on a full disk for example, may have stored a part of its bytes.
  async #countWhatIsThere(file: FileHandle): Promise<void> {
    if (!this.#begun || !this.errored) return;
    const bytes = (await file.stat()).size - this.#headerBytes;
    this.#dataBytes = Math.max(this.#dataBytes, bytes - (bytes % bytesPerFrame(this.#begun)));
  }

  async #writeSizes(): Promise<void> {
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
