import type { Writable } from 'node:stream';

import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  describeFormat,
  formatUnknown,
  sameFormat,
  type AudioFormat,
} from '../format/format.js';
import { Upstream } from './upstream.js';

type Done = (error?: Error | null) => void;

/** The engine's end of it. */
export interface FrameTarget {
  /** Called when the format is settled, and again when it is another from here on. */
  openWritten(format: Readonly<AudioFormat>): void;
  /** Frames that were taken. */
  write(bytes: Buffer): number;
  setPending(more: boolean): void;
}

/**
 * How bytes written to a mixer's input or a sink get into the engine: whole frames of a settled
 * format, as many as its queue has room for; the rest waits, and with it the writer.
 */
export class FrameWriter {
  readonly #name: string;
  readonly #target: FrameTarget;
  readonly #declared: Readonly<AudioFormat> | undefined;
  readonly #upstream: Upstream;
  #format: Readonly<AudioFormat> | undefined;
  #next: Readonly<AudioFormat> | undefined;
  #half: Buffer = Buffer.alloc(0);
  #waiting: { bytes: Buffer; done: Done } | undefined;

  constructor(stream: Writable, target: FrameTarget, declared: Readonly<AudioFormat> | undefined) {
    this.#name = stream.constructor.name;
    this.#target = target;
    this.#declared = declared;
    this.#upstream = new Upstream(stream);
  }

  /** Of the bytes written, as far as it is known. */
  get format(): Readonly<AudioFormat> | undefined {
    return this.#next ?? this.#format ?? this.#upstream.format ?? this.#declared;
  }

  /** What is piped in now. */
  get source(): object | undefined {
    return this.#upstream.source;
  }

  /** Whether any frame was written. */
  get used(): boolean {
    return this.#format !== undefined;
  }

  /** Stops what is piped in by copying, so that the stream can end. */
  detach(): void {
    this.#upstream.detach();
  }

  /** To be called when bytes are handed over, which get their turn later. */
  note(): void {
    this.#upstream.note();
  }

  write(chunk: Buffer, done: Done): void {
    try {
      const partial = this.#next && this.partial();
      if (partial) throw partial;
      const format = this.#settle(this.#upstream.takeNoted());
      const size = bytesPerFrame(format);
      const bytes = this.#half.length ? Buffer.concat([this.#half, chunk]) : chunk;
      const whole = bytes.length - (bytes.length % size);
      this.#half = Buffer.from(bytes.subarray(whole));
      this.#give(bytes.subarray(0, whole), done);
    } catch (error) {
      done(error as Error);
    }
  }

  /** What is written from now on has another format. */
  change(format: Readonly<AudioFormat>): void {
    this.#next = format;
  }

  /** What waits for room is thrown away. */
  drop(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#half = Buffer.alloc(0);
    this.#target.setPending(false);
    waiting?.done();
  }

  /** There is room again. */
  retry(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.#give(waiting.bytes, waiting.done);
  }

  /** Nothing more will be taken: whoever waits is let go. */
  abandon(error: Error | null): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done(error);
  }

  /** The error of a stream that ends within a frame. */
  partial(): AudioError | undefined {
    if (this.#half.length === 0) return undefined;
    const size = bytesPerFrame(this.#format as AudioFormat);
    return new AudioError(
      'ERR_AUDIO_PARTIAL_FRAME',
      `the bytes written to ${this.#name} ended ${this.#half.length} bytes into a frame of ${size}`,
      { remedy: 'The writer lost or added bytes, or its format is not the one declared' },
    );
  }

  #give(bytes: Buffer, done: Done): void {
    const size = bytesPerFrame(this.#format as AudioFormat);
    const rest = bytes.subarray(this.#target.write(bytes) * size);
    this.#target.setPending(rest.length > 0);
    if (rest.length > 0) this.#waiting = { bytes: rest, done };
    else done();
  }

  #settle(noted: Readonly<AudioFormat> | undefined): Readonly<AudioFormat> {
    const next = this.#next;
    this.#next = undefined;
    if (next && !(this.#format && sameFormat(next, this.#format))) {
      this.#format = next;
      this.#target.openWritten(next);
    }
    const wanted = noted ?? this.#format ?? this.#declared;
    if (this.#format && wanted === this.#format) return this.#format;
    if (!wanted) throw formatUnknown(this.#name);
    if (this.#format && !sameFormat(wanted, this.#format)) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `${describeFormat(wanted)} was piped into a ${this.#name} that plays ${describeFormat(this.#format)}`,
        { remedy: 'Convert it with a Resampler, or use another input' },
      );
    }
    if (!this.#format) {
      this.#format = wanted;
      this.#target.openWritten(wanted);
    }
    return this.#format;
  }
}
