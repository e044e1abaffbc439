import { addAbortSignal, type TransformCallback } from 'node:stream';

import { bytesPerFrame, optionalFormat, type AudioFormat } from '../format/format.js';
import { wavHeader } from '../format/wav-header.js';
import {
  TypedTransform,
  type ReadableEvents,
  type WritableEvents,
} from '../engine/typed-events.js';
import { writesFile } from '../streams/file-destination.js';
import type { Done } from '../streams/inlet.js';
import { isEmpty, partialFrame, WrittenFormat } from '../streams/written-format.js';
import { checkAbortSignal, checkChunk, checkInteger, checkOptions } from '../validate.js';

/** Events of a {@link WavEncoder}. */
export interface WavEncoderEvents extends ReadableEvents, WritableEvents {}

/** Options of a {@link WavEncoder}. */
export interface WavEncoderOptions {
  /**
   * Format of the written bytes. A piped stream's own format takes precedence. @default the format of the stream that
   * is piped in
   */
  format?: AudioFormat | undefined;
  /**
   * The number of frames that will be written. With this option the header contains the exact length, which some readers
   * need. @default unknown, which the header says
   */
  frames?: number | undefined;
  /** Destroys the stream with an `AbortError`. @default none */
  signal?: AbortSignal | undefined;
}

/**
 * Converts audio to the bytes of a WAV file, for pipes, uploads and standard output. To write a file on
 * disk use {@link WavWriter}, which completes the header.
 *
 * Bytes of unknown format fail with `ERR_AUDIO_FORMAT_UNKNOWN`. Audio that ends within a frame fails with
 * `ERR_AUDIO_PARTIAL_FRAME`. A number of frames other than `frames` fails with `ERR_OUT_OF_RANGE`. If no frame is
 * written, the bytes are a header without audio; its format is the default one if no other is known.
 *
 * @example
 * new MicSource({ durationMs: 5000 }).pipe(new WavEncoder()).pipe(process.stdout);
 */
export class WavEncoder extends TypedTransform<WavEncoderEvents> {
  /** @internal */
  readonly [writesFile] = 'chunks';
  readonly #frames: number | undefined;
  readonly #written: WrittenFormat;
  #format: Readonly<AudioFormat> | undefined; // the format in the header
  #bytes = 0;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
  constructor(options?: WavEncoderOptions) {
    const given = checkOptions(options, 'WavEncoder', ['format', 'frames', 'signal']);
    const { format, frames, signal } = given;
    const declared = optionalFormat(format, 'options.format');
    if (frames !== undefined) {
      checkInteger(frames, 'options.frames', 0, Number.MAX_SAFE_INTEGER);
    }
    if (signal !== undefined) checkAbortSignal(signal, 'options.signal');
    super();
    this.#frames = frames;
    this.#written = new WrittenFormat(this, 'WavEncoder', declared);
    if (signal) addAbortSignal(signal, this);
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    try {
      if (!isEmpty(chunk)) this.#written.settle();
    } catch (error) {
      this.destroy(error as Error);
    }
    return super.write(chunk, encoding as BufferEncoding, done);
  }

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      checkChunk(bytes);
      if (isEmpty(bytes)) return done();
      this.#begin(this.#written.settled ?? this.#written.settle());
      this.#bytes += bytes.length;
      this.#checkLength(false);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, bytes);
  }

  override _flush(done: TransformCallback): void {
    try {
      const format = this.#written.final;
      this.#begin(format);
      const partial = this.#bytes % bytesPerFrame(format);
      if (partial > 0) throw partialFrame('WavEncoder', partial, format);
      this.#checkLength(true);
      // RIFF pads chunks to even lengths. The size of a chunk does not include the padding.
      if (this.#bytes % 2) this.push(Buffer.alloc(1));
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }

  #begin(format: Readonly<AudioFormat>): void {
    if (this.#format) return;
    this.#format = format;
    const frames = this.#frames;
    this.push(wavHeader(format, frames === undefined ? undefined : frames * bytesPerFrame(format)));
  }

  #checkLength(isOver: boolean): void {
    if (this.#frames === undefined) return;
    const frames = this.#bytes / bytesPerFrame(this.#format as AudioFormat);
    if (frames > this.#frames || (isOver && frames < this.#frames)) {
      throw Object.assign(
        new RangeError(
          `WavEncoder was to get ${this.#frames} frames, as options.frames says, and got ` +
            `${isOver ? frames : 'more'}`,
        ),
        { code: 'ERR_OUT_OF_RANGE' },
      );
    }
  }
}
