import type { Readable } from 'node:stream';
import { finished } from 'node:stream';

import { Resampler } from './resampler.js';

/** A finished recording that is read on demand, converted to a sample rate and a number of channels. */
export class WrittenReference {
  readonly #source: Readable;
  readonly #converted: Resampler;
  readonly #channels: number;
  readonly #chunks: AsyncIterator<Buffer, undefined>;
  #rest = new Float32Array(0);
  #failed: Error | undefined;
  #toSkip: number;

  /** @param leadFrames the number of frames to skip at the beginning. */
  constructor(source: Readable, sampleRate: number, channels: number, leadFrames: number) {
    this.#source = source;
    this.#channels = channels;
    this.#toSkip = leadFrames;
    this.#converted = new Resampler({ sampleRate, channels, sampleFormat: 'f32' });
    this.#chunks = this.#converted[Symbol.asyncIterator]();
    // With pipe() a source that fails does not end its destination.
    finished(source, { writable: false }, (error) => {
      this.#failed = error ?? undefined;
      if (error && !this.#converted.writableEnded) this.#converted.end();
    });
    source.pipe(this.#converted);
  }

  /** The next frames, interleaved; zeros after the end. */
  async read(frames: number): Promise<Float32Array> {
    const wanted = (frames + this.#toSkip) * this.#channels;
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < wanted) {
      const { value } = await this.#chunks.next();
      if (this.#failed) throw this.#failed;
      if (!value) break;
      const part = new Float32Array(value.length / 4);
      Buffer.from(part.buffer).set(value);
      parts.push(part);
      length += part.length;
    }
    const all = new Float32Array(Math.max(length, wanted));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#rest = all.slice(wanted);
    const read = all.slice(this.#toSkip * this.#channels, wanted);
    this.#toSkip = 0;
    return read;
  }

  /** Stops reading the source, and leaves it open. */
  close(): void {
    this.#source.unpipe(this.#converted);
    this.#converted.destroy();
  }
}
