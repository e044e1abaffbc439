import type { Writable } from 'node:stream';

import { AudioError } from '../errors.js';
import {
  bytesPerFrame,
  defaultFormat,
  describeFormat,
  formatUnknown,
  sameFormat,
  type AudioFormat,
} from '../format/format.js';
import { Upstream } from './upstream.js';

/**
 * The format of the bytes that are written to a stream which stores them in one format. It is the format of the piped
 * stream, or else the declared one. The first bytes fix it.
 */
export class WrittenFormat {
  readonly declared: Readonly<AudioFormat> | undefined;
  readonly #name: string;
  readonly #upstream: Upstream;
  #settled: Readonly<AudioFormat> | undefined;
  #checkedSource: unknown;

  /** @param name the name of the stream in messages. */
  constructor(stream: Writable, name: string, declared: Readonly<AudioFormat> | undefined) {
    this.declared = declared;
    this.#name = name;
    this.#upstream = new Upstream(stream);
  }

  /** The fixed format; undefined before the first bytes. */
  get settled(): Readonly<AudioFormat> | undefined {
    return this.#settled;
  }

  /** The format of the next bytes, if it is known. */
  get expected(): Readonly<AudioFormat> | undefined {
    return this.#settled ?? this.#upstream.lastFormat ?? this.declared;
  }

  /** The format of the whole stream after its end. The format of no frames may be unknown; then it is the default one. */
  get final(): Readonly<AudioFormat> {
    return this.expected ?? defaultFormat;
  }

  /** Stops the flow, so that the stream can end without a write after its end. */
  detach(): void {
    this.#upstream.detach();
  }

  /**
   * Must be called when bytes are written. When they are processed, their stream may no longer be piped in.
   *
   * @throws `ERR_AUDIO_FORMAT_UNKNOWN`, or `ERR_AUDIO_FORMAT_UNSUPPORTED` if another format is fixed.
   */
  settle(): Readonly<AudioFormat> {
    const { source, format } = this.#upstream;
    if (this.#settled && source === this.#checkedSource) return this.#settled;
    const wanted = format ?? this.#settled ?? this.declared;
    if (!wanted) throw formatUnknown(this.#name);
    if (this.#settled && !sameFormat(wanted, this.#settled)) {
      throw new AudioError(
        'ERR_AUDIO_FORMAT_UNSUPPORTED',
        `${describeFormat(wanted)} was piped into a WAV file of ${describeFormat(this.#settled)}`,
        { remedy: 'Convert it with a Resampler, or write another file' },
      );
    }
    this.#checkedSource = source;
    return (this.#settled ??= wanted);
  }
}

/** Whether a chunk has no bytes; its format does not matter. */
export function isEmpty(chunk: unknown): boolean {
  return (chunk as { length?: unknown } | null | undefined)?.length === 0;
}

/** The error for input that ends `bytes` bytes into a frame. */
export function partialFrame(name: string, bytes: number, format: AudioFormat): AudioError {
  return new AudioError(
    'ERR_AUDIO_PARTIAL_FRAME',
    `the bytes written to ${name} end within a frame: ${bytes} ` +
      `of its ${bytesPerFrame(format)} bytes (${describeFormat(format)})`,
    { remedy: 'Check that the format is that of the written bytes. The whole frames were stored' },
  );
}
