import type { Readable, Writable } from 'node:stream';

import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  describeFormat,
  formatUnknown,
  sameFormat,
  type AudioFormat,
} from '../format/format.js';
import type { LinkSource } from './links.js';
import { cycle, isCycle, secondStream, Upstream } from './upstream.js';

/** The callback of a stream's `_write` or `_final`. */
export type Done = (error?: Error | null) => void;

/** What a stream does with the audio that its inlet takes. */
export interface InletTarget {
  /**
   * Returns why a stream cannot be linked, so that its bytes are copied through JavaScript; undefined if
   * it can. Throws if neither would be right.
   */
  refuse(source: LinkSource): string | undefined;
  link(source: LinkSource, ends: boolean): void;
  unlink(source: LinkSource): void;
  /** The format of the bytes is known. Called again if it changes. */
  open(format: Readonly<AudioFormat>): void;
  /** Takes whole frames, and calls `done` when there is room for more. */
  write(frames: Buffer, done: Done): void;
  /**
   * No more bytes follow. Returns whether some of them have not been played: then the target calls
   * `finished()` later.
   */
  end(): boolean;
}

/**
 * What flows into a sink, a mixer's input or a transform: one stream that is linked inside the
 * engine, or bytes that are written, whether by the app or by a pipe. It is the counterpart of `Outlet`.
 */
export class Inlet {
  readonly #stream: Writable;
  readonly #target: InletTarget;
  readonly #declared: Readonly<AudioFormat> | undefined;
  readonly #upstream: Upstream;
  #linked: { source: LinkSource; ends: boolean } | undefined;
  #written = false;
  #format: Readonly<AudioFormat> | undefined;
  /** What `change()` asked for and no frame has had yet. */
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

  /** For `pipe()`: links the stream, or returns why its bytes are to be copied. */
  connect(source: LinkSource, ends: boolean): string | undefined {
    if (this.source) throw this.secondStream();
    if (isCycle(source, this.#stream)) throw cycle(source, this.#stream);
    const reason = this.#target.refuse(source);
    if (reason !== undefined) return reason;
    this.#linked = { source, ends };
    this.#target.link(source, ends);
    return undefined;
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

  /** Unpipes whatever is piped in, so that the stream can end. */
  detach(): void {
    this.source?.unpipe(this.#stream);
  }

  /** For `write()`: remembers the format of bytes that get their turn later. */
  note(): void {
    this.#written = true;
    this.#upstream.note();
  }

  /** For `_write` in place of `write()`: the bytes are thrown away. */
  skip(): void {
    this.#upstream.takeNoted();
  }

  /** For `_write`. */
  write(chunk: Buffer, done: Done): void {
    try {
      const noted = this.#upstream.takeNoted();
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

  /** The bytes that get their turn from now on have another format. */
  change(format: Readonly<AudioFormat>): void {
    this.#nextFormat = format;
  }

  /** Forgets the beginning of a frame. */
  drop(): void {
    this.#partialFrame = Buffer.alloc(0);
  }

  /** For `_final`: calls `done` when everything that flowed in has been played. */
  finish(done: Done): void {
    const partial = this.partialFrame();
    if (partial) return done(partial);
    this.#finishing = done;
    // Under pipeline() the source has ended; the target plays what the engine still has of it, and
    // `inputEnded()` follows. A source that goes on is cut off.
    if (this.linked?.readableEnded) return;
    this.unlink();
    if (!this.#target.end()) this.finished();
  }

  /** Everything that was written has been played. */
  finished(): void {
    const done = this.#finishing;
    this.#finishing = undefined;
    done?.();
  }

  /** The engine has played all of the linked stream. */
  inputEnded(): void {
    if (this.#finishing) return this.finished();
    const ends = this.#linked?.ends;
    this.unlink();
    if (ends) this.#stream.end();
  }

  /** The error of bytes that end within a frame; undefined if they do not. */
  partialFrame(): AudioError | undefined {
    const { length } = this.#partialFrame;
    if (length === 0) return undefined;
    const size = bytesPerFrame(this.#format as AudioFormat);
    return new AudioError(
      'ERR_AUDIO_PARTIAL_FRAME',
      `the bytes written to ${this.#name} end within a frame: ${length} of its ${size} bytes are there`,
      { remedy: 'Check that the format is that of what is written' },
    );
  }

  /**
   * The format of what comes next; `from` is that of the stream which it comes from, if it is known.
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

  /** The error of a stream that is given to an inlet which has one already. */
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
