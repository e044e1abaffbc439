import { open, type FileHandle } from 'node:fs/promises';
import { addAbortSignal, Writable } from 'node:stream';

import type { AudioStream } from '../streams/audio-stream.js';
import { whenClosed } from '../streams/closing.js';
import { Deferred } from '../engine/deferred.js';
import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  checkFormat,
  describeFormat,
  formatUnknown,
  sameFormat,
  type AudioFormat,
} from '../format/format.js';
import { Upstream } from '../streams/upstream.js';
import { checkAbortSignal, checkOptions, invalidType, unsupported } from '../validate.js';
import { wavHeader } from './wav-header.js';

/** Options of a {@link WavWriter}. */
export interface WavWriterOptions {
  /** Of the bytes written; not needed when a stream of this package is piped in, whose own wins. */
  format?: AudioFormat | undefined;
  /** Destroys the stream with an `AbortError`; the file stays valid. */
  signal?: AbortSignal | undefined;
}

/** What a {@link WavWriter} has done so far. */
export interface WavWriterStats {
  /** Frames that are in the file. */
  framesWritten: number;
  /** Bytes of the file, header included. */
  fileBytes: number;
}

type Done = (error?: Error | null) => void;

const sizesEveryMs = 1000;

/**
 * Writes a WAV file that is valid at any moment from its first frame on: the sizes in the header
 * follow what is written at most one second later, so that a recording whose process is killed loses
 * at most its last second. (Killed within the first one, its header counts no frames: a `WavReader`
 * gives them all the same.) Past 4 GiB the file becomes RF64. One that exists is replaced.
 *
 * A frame may arrive in pieces; ending within one is `ERR_AUDIO_PARTIAL_FRAME`, after the whole
 * frames have been stored. Bytes of unknown format fail with `ERR_AUDIO_FORMAT_UNKNOWN`, a stream of
 * another format piped in later with `ERR_AUDIO_FORMAT_UNSUPPORTED`.
 *
 * @example
 * await pipeline(new MicSource({ durationMs: 5000 }), WavWriter.toFile('mic.wav'));
 */
export class WavWriter extends Writable implements AudioStream {
  readonly live = false;
  readonly #ready = new Deferred<this>();
  readonly ready: Promise<this> = this.#ready.promise;
  readonly path: string | URL;
  readonly #upstream = new Upstream(this);
  readonly #declared: Readonly<AudioFormat> | undefined;
  #file: FileHandle | undefined;
  #format: Readonly<AudioFormat> | undefined; // settled by the first bytes, then for good
  #begun: Readonly<AudioFormat> | undefined; // what the header in the file says
  #checkedSource: unknown;
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
    const { format, signal } = checkOptions(options, 'WavWriter', ['format', 'signal']);
    const declared = format && checkFormat(format, 'options.format');
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    super({ highWaterMark: 256 * 1024 });
    this.path = path;
    this.#declared = declared;
    if (signal) addAbortSignal(signal, this);
  }

  /** The same as the constructor, in the words of a pipeline. Throws as it does. */
  static toFile(path: string | URL, options?: WavWriterOptions): WavWriter {
    return new WavWriter(path, options);
  }

  /** @throws `ERR_AUDIO_FORMAT_UNKNOWN` until the first frame, unless it was declared. */
  get format(): Readonly<AudioFormat> {
    const format = this.#format ?? this.#upstream.format ?? this.#declared;
    if (!format) throw formatUnknown('WavWriter');
    return format;
  }

  /** Frames that are in the file. */
  get framesWritten(): number {
    return this.#format ? this.#dataBytes / bytesPerFrame(this.#format) : 0;
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
    this.#format ??= this.#upstream.format; // of a stream that has brought nothing yet
    this.#upstream.detach();
    if (!this.writableEnded && !this.destroyed) this.end();
    return whenClosed(this);
  }

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
    this.#ready.reject(error ?? formatUnknown('WavWriter, closed before the first frame,'));
    this.#release().then(
      () => done(error),
      (failure: Error) => done(error ?? failure),
    );
  }

  // The format is that of the stream piped in at the time of the write: when the bytes get their turn
  // on the disk, that stream may be gone.
  override write(bytes: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    try {
      this.#settleFormat();
    } catch (error) {
      this.destroy(error as Error);
    }
    return super.write(bytes, encoding as BufferEncoding, done);
  }

  #settleFormat(): Readonly<AudioFormat> {
    const { source, format } = this.#upstream;
    if (this.#format && source === this.#checkedSource) return this.#format;
    const wanted = format ?? this.#format ?? this.#declared;
    if (!wanted) throw formatUnknown(`WavWriter of ${String(this.path)}`);
    if (this.#format && !sameFormat(wanted, this.#format)) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `${describeFormat(wanted)} was piped into a WAV file of ${describeFormat(this.#format)}`,
        { remedy: 'Convert it with a Resampler, or write another file' },
      );
    }
    this.#checkedSource = source;
    return (this.#format ??= wanted);
  }

  async #open(): Promise<void> {
    this.#file = await open(this.path, 'w');
    const format = this.#format ?? this.#declared;
    if (format) await this.#begin(format);
  }

  async #begin(format: Readonly<AudioFormat>): Promise<void> {
    const header = wavHeader(format, 0);
    await this.#writeAt(header, 0);
    this.#begun = format;
    this.#headerBytes = header.length;
    this.#ready.resolve(this);
  }

  async #store(pieces: Buffer[]): Promise<void> {
    const format = this.#format ?? this.#settleFormat(); // end(bytes) does not come by write()
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
    const format = this.#format ?? this.#upstream.format ?? this.#declared;
    if (!format) return; // not one byte came: nothing is unknown, and the file is empty
    if (this.#begun !== format) await this.#begin(format);
    // Chunks have even lengths in RIFF; the padding is not counted in the chunk's own size.
    if (this.#dataBytes % 2) {
      await this.#writeAt(Buffer.alloc(1), this.#headerBytes + this.#dataBytes);
    }
    await this.#writeSizes();
    if (this.#half.length > 0) {
      throw new AudioError(
        'ERR_AUDIO_PARTIAL_FRAME',
        `the bytes written to ${String(this.path)} end within a frame: ${this.#half.length} ` +
          `of its ${bytesPerFrame(format)} bytes (${describeFormat(format)})`,
        { remedy: 'Check that this is the format of what is written; the whole frames are stored' },
      );
    }
  }

  async #release(): Promise<void> {
    clearTimeout(this.#sizesTimer);
    await this.#writing.catch(() => {}); // has been reported by its own callback
    clearTimeout(this.#sizesTimer);
    await this.#sizesUpdate;
    if (!this.#file) return;
    try {
      await this.#writeSizes();
    } finally {
      await this.#file.close();
    }
  }

  async #writeSizes(): Promise<void> {
    if (this.#begun) await this.#writeAt(wavHeader(this.#begun, this.#dataBytes), 0);
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
