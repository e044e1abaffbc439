import type { Readable, Writable } from 'node:stream';

import { refusal } from '../engine/refusal.js';
import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  describeFormat,
  formatUnknown,
  sameFormat,
  type AudioFormat,
} from '../format/format.js';
import { checkChunk } from '../validate.js';
import type { LinkSource } from './links.js';
import { cycle, isCycle, secondStream, Upstream } from './upstream.js';

/** The callback of a stream's `_write` or `_final`. */
export type Done = (error?: Error | null) => void;

/** The part of a stream that processes the audio of its inlet. */
export interface InletTarget {
  /**
   * Returns undefined if a stream can be linked. Otherwise it returns the reason, and its bytes are copied through
   * JavaScript. Throws if the pipe is not possible at all.
   */
  refuse(source: LinkSource): string | undefined;
  link(source: LinkSource, ends: boolean): void;
  unlink(source: LinkSource): void;
  /** Called when the format of the bytes is known, and again if it changes. */
  open(format: Readonly<AudioFormat>): void;
  /** Takes whole frames, and calls `done` when there is room for more. */
  write(frames: Buffer, done: Done): void;
  /**
   * Called when no more bytes follow. Returns whether some of them have not been played. In that case the target calls
   * `finished()` later.
   */
  end(): boolean;
}

/**
 * The input of a sink, a mixer's input or a transform. It takes one stream that is linked inside the engine, or bytes
 * that the app or a pipe writes. It is the counterpart of `Outlet`.
 */
export class Inlet {
  readonly #stream: Writable;
  readonly #target: InletTarget;
  readonly #declared: Readonly<AudioFormat> | undefined;
  readonly #upstream: Upstream;
  #linked: { source: LinkSource; ends: boolean } | undefined;
  #written = false;
  #format: Readonly<AudioFormat> | undefined;
  /** The format that `change()` has set and that no frame has used yet. */
  #nextFormat: Readonly<AudioFormat> | undefined;
  #partialFrame: Buffer = Buffer.alloc(0);
  #finishing: Done | undefined;

  /** @param declared the format of bytes whose stream does not know its own. */
  constructor(stream: Writable, target: InletTarget, declared: Readonly<AudioFormat> | undefined) {
    this.#stream = stream;
    this.#target = target;
    this.#declared = declared;
    this.#upstream = new Upstream(stream);
  }

  /** The linked stream. */
  get linked(): LinkSource | undefined {
    return this.#linked?.source;
  }

  /** The stream that is piped in now, linked or not. */
  get source(): Readable | undefined {
    return this.linked ?? this.#upstream.source;
  }

  /** For a stream's `upstreams`. */
  get sources(): object[] {
    return this.source ? [this.source] : [];
  }

  /** The format of the linked stream or of the bytes, if it is known. */
  get format(): Readonly<AudioFormat> | undefined {
    return (
      this.linked?.format ??
      this.#nextFormat ??
      this.#format ??
      this.#upstream.format ??
      (this.#stream.writableEnded ? this.#upstream.lastFormat : undefined) ??
      this.#declared
    );
  }

  /** Whether bytes were ever written. */
  get written(): boolean {
    return this.#written;
  }

  /** Whether a frame of a known format was written. */
  get opened(): boolean {
    return this.#format !== undefined;
  }

  /** For `pipe()`. Links the stream, or returns why its bytes must be copied. */
  connect(source: LinkSource, ends: boolean): string | undefined {
    const reason = this.#refuse(source);
    if (reason !== undefined) return reason;
    this.#linked = { source, ends };
    this.#target.link(source, ends);
    return undefined;
  }

  #refuse(source: LinkSource): string | undefined {
    try {
      if (this.source) throw this.secondStream();
      if (isCycle(source, this.#stream)) throw cycle(source, this.#stream);
      return this.#target.refuse(source);
    } catch (error) {
      throw refusal(source, this.#stream, error as Error);
    }
  }

  /** For `unpipe()`. */
  disconnect(source: LinkSource): void {
    if (this.linked !== source) return;
    this.#linked = undefined;
    this.#target.unlink(source);
  }

  /** Unpipes the linked stream. */
  unlink(): void {
    this.linked?.unpipe(this.#stream);
  }

  /** Unpipes the stream that is piped in, so that this stream can end. */
  detach(): void {
    this.source?.unpipe(this.#stream);
  }

  /** For `write()`. Stores the format of bytes that are processed later. */
  noting<T>(write: () => T): T {
    const wasWritten = this.#written;
    this.#written = true;
    this.#upstream.note();
    try {
      return write();
    } catch (error) {
      // The chunk was invalid: Node does not call `_write` with it.
      this.#written = wasWritten;
      this.#upstream.forgetNoted();
      throw error;
    }
  }

  /** For `_write`, in place of `write()`, if the bytes are discarded. */
  skip(): void {
    this.#upstream.takeNoted();
  }

  /** For `_write`. */
  write(chunk: Buffer, done: Done): void {
    try {
      const noted = this.#upstream.takeNoted();
      checkChunk(chunk);
      if (this.#linked) throw this.secondStream();
      const partial = this.#nextFormat && this.partialFrame();
      if (partial) throw partial;
      const size = bytesPerFrame(this.settleFormat(noted));
      const rest = this.#partialFrame;
      const bytes = rest.length ? Buffer.concat([rest, chunk]) : chunk;
      const whole = bytes.length - (bytes.length % size);
      this.#partialFrame = Buffer.from(bytes.subarray(whole));
      this.#target.write(bytes.subarray(0, whole), done);
    } catch (error) {
      done(error as Error);
    }
  }

  /** Sets another format for the bytes that are processed from now on. */
  change(format: Readonly<AudioFormat>): void {
    this.#nextFormat = format;
  }

  /** Discards the beginning of an incomplete frame. */
  drop(): void {
    this.#partialFrame = Buffer.alloc(0);
  }

  /** For `_final`. Calls `done` when all input has been played. */
  finish(done: Done): void {
    const partial = this.partialFrame();
    if (partial) return done(partial);
    this.#finishing = done;
    // With pipeline() the source has ended. The target plays the frames that are still in the engine, and `inputEnded()`
    // follows. A source that has not ended is cut off.
    if (this.linked?.readableEnded) return;
    this.unlink();
    if (!this.#target.end()) this.finished();
  }

  /** Called when all written bytes have been played. */
  finished(): void {
    const done = this.#finishing;
    this.#finishing = undefined;
    done?.();
  }

  /** Called when the engine has played all of the linked stream. */
  inputEnded(): void {
    if (this.#finishing) return this.finished();
    const ends = this.#linked?.ends;
    this.unlink();
    if (ends) this.#stream.end();
  }

  /** The error for bytes that end within a frame; undefined if they do not. */
  partialFrame(): AudioError | undefined {
    const { length } = this.#partialFrame;
    if (length === 0) return undefined;
    const size = bytesPerFrame(this.#format as AudioFormat);
    return new AudioError(
      'ERR_AUDIO_PARTIAL_FRAME',
      `the bytes written to ${this.#name} end within a frame: ${length} of its ${size} bytes were written`,
      { remedy: 'Check that the format is that of the written bytes' },
    );
  }

  /**
   * The format of the next bytes. `from` is the format of the stream that they come from, if it is known.
   *
   * @throws `ERR_AUDIO_FORMAT_UNKNOWN`, `ERR_AUDIO_FORMAT_UNSUPPORTED`.
   */
  settleFormat(from: Readonly<AudioFormat> | undefined): Readonly<AudioFormat> {
    const changed = this.#nextFormat;
    this.#nextFormat = undefined;
    if (changed && !(this.#format && sameFormat(changed, this.#format))) this.#open(changed);
    const format = from ?? this.#format ?? this.#declared;
    if (!format) throw formatUnknown(this.#name);
    if (this.#format === undefined) return this.#open(format);
    if (format !== this.#format && !sameFormat(format, this.#format)) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `${describeFormat(format)} was piped into a ${this.#name} that began with ${describeFormat(this.#format)}`,
        { remedy: `Convert it with a Resampler, or use another ${this.#name}` },
      );
    }
    return this.#format;
  }

  /** The error for a second stream that is piped in. */
  secondStream(): AudioError {
    return secondStream(this.#stream);
  }

  get #name(): string {
    return this.#stream.constructor.name;
  }

  #open(format: Readonly<AudioFormat>): Readonly<AudioFormat> {
    this.#format = format;
    this.#target.open(format);
    return format;
  }
}
