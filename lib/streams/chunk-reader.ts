import type { Readable } from 'node:stream';

import { Deferred } from '../engine/deferred.js';
import { bytesPerFrame, type AudioFormat } from '../format/format.js';
import { closedEarly } from '../errors.js';
import { decodeSamples } from './samples.js';
import { Tap, type TapOwner } from './tap.js';

/** One chunk with its position in the stream, from `chunks()`. */
export interface AudioChunk {
  /** The bytes, in a buffer that nothing else uses. */
  data: Buffer;
  /** Index of its first frame in the stream. */
  frame: number;
  /** Number of frames. */
  frames: number;
  /** When its first frame was heard, in ns of `process.hrtime.bigint()`. */
  time: bigint;
  /** The reasons why the chunk, or a part of it, is silence (see `chunkFlags`); 0 if it is sound. */
  flags: number;
  /**
   * The samples of `data`, interleaved, with full scale at -1 to 1. In an `f32` stream they share the memory of `data`;
   * others are decoded at the first access.
   */
  readonly samples: Float32Array;
}

class Chunk implements AudioChunk {
  readonly data: Buffer;
  readonly frame: number;
  readonly frames: number;
  readonly time: bigint;
  readonly flags: number;
  readonly #format: Readonly<AudioFormat>;
  #samples: Float32Array | undefined;

  constructor(data: Buffer, tap: Tap, format: Readonly<AudioFormat>) {
    this.data = data;
    this.frame = tap.chunkFrame;
    this.frames = data.length / bytesPerFrame(format);
    this.time = tap.chunkTime;
    this.flags = tap.chunkFlags;
    this.#format = format;
  }

  get samples(): Float32Array {
    const { buffer, byteOffset, length } = this.data;
    return (this.#samples ??=
      this.#format.sampleFormat === 'f32'
        ? new Float32Array(buffer, byteOffset, length / 4)
        : decodeSamples(this.data, this.#format));
  }
}

const end: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The readers of one stream. They end with it. */
export class ChunkReaders {
  readonly #stream: Readable;
  readonly #owner: TapOwner;
  readonly #open = new Set<ChunkReader>();
  readonly #onError = (): void => {}; // the loops throw the error
  readonly #onClose = (): void => {
    const failure = failureOf(this.#stream);
    if (failure) for (const reader of [...this.#open]) reader.fail(failure);
  };

  constructor(stream: Readable, owner: TapOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /** How many readers are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Creates a reader that begins with the newest audio. */
  read(): AsyncIterableIterator<AudioChunk> {
    const stream = this.#stream;
    const isFailing = (): boolean => stream.destroyed && failureOf(stream) !== undefined;
    const reader = new ChunkReader(this.#owner, isFailing, () => this.#forget(reader));
    if (this.#open.size === 0) {
      this.#stream.on('error', this.#onError);
      // Before the listeners of the app, because an exception in one of them keeps later ones from being called.
      this.#stream.prependListener('close', this.#onClose);
    }
    this.#open.add(reader);
    if (stream.closed) this.#onClose();
    return reader;
  }

  /** Called at the end of the stream, because the process may exit before the engine wakes the readers. */
  wake(): void {
    for (const reader of [...this.#open]) reader.wake();
  }

  #forget(reader: ChunkReader): void {
    if (!this.#open.delete(reader) || this.#open.size > 0) return;
    this.#stream.off('error', this.#onError);
    this.#stream.off('close', this.#onClose);
  }
}

/** The error that a loop over a destroyed stream throws. It is the same as in Node's own loop. */
function failureOf(stream: Readable): Error | undefined {
  if (stream.errored || stream.readableEnded) return stream.errored ?? undefined;
  return closedEarly('Premature close');
}

/** The iterator that `chunks()` returns. */
class ChunkReader implements AsyncIterableIterator<AudioChunk> {
  readonly #tap: Tap;
  readonly #format: Readonly<AudioFormat>;
  readonly #isFailing: () => boolean;
  readonly #onDone: () => void;
  readonly #waiting: Deferred<IteratorResult<AudioChunk>>[] = [];
  #failure: Error | undefined;
  #done = false;

  constructor(owner: TapOwner, isFailing: () => boolean, onDone: () => void) {
    this.#isFailing = isFailing;
    this.#format = owner.format;
    this.#onDone = onDone;
    this.#tap = new Tap(owner, () => this.wake());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<AudioChunk>> {
    const result = new Deferred<IteratorResult<AudioChunk>>();
    this.#waiting.push(result);
    this.wake();
    return result.promise;
  }

  return(): Promise<IteratorResult<AudioChunk>> {
    this.#close();
    this.wake();
    return Promise.resolve(end);
  }

  throw(error: Error): Promise<IteratorResult<AudioChunk>> {
    this.#close();
    this.wake();
    return Promise.reject(error);
  }

  /** Called when there may be more to read. */
  wake(): void {
    while (this.#waiting.length > 0) {
      const result = this.#failure ? undefined : this.#read();
      if (result === null) return;
      const caller = this.#waiting.shift();
      if (result) caller?.resolve(result);
      else caller?.reject(this.#failure as Error);
      if (!result) this.#failure = undefined;
    }
  }

  /** Called when the stream has failed. Unread audio is lost. */
  fail(failure: Error): void {
    this.#failure = failure;
    this.#close();
    this.wake();
  }

  /** The next result; null if there is none yet. */
  #read(): IteratorResult<AudioChunk> | null {
    if (this.#done) return end;
    const tap = this.#tap;
    const data = tap.read();
    if (data === null) return null;
    if (data === undefined) {
      if (this.#isFailing()) return null; // `close` brings the error
      this.#close();
      return end;
    }
    return { done: false, value: new Chunk(data, tap, this.#format) };
  }

  #close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#tap.close();
    this.#onDone();
  }
}
