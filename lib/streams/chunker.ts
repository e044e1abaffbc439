import { bytesPerFrame, type AudioFormat } from '../format/format.js';
import { checkInteger, checkNumber, invalidValue } from '../validate.js';

/** How a readable divides its audio into chunks. Only one of the two options can be given. */
export interface ChunkOptions {
  /** Milliseconds in each chunk, 1 to 10000; fractions of a frame are spread. @default 10 */
  chunkMs?: number | undefined;
  /** Frames in each chunk, exactly. @default none: `chunkMs` decides */
  chunkFrames?: number | undefined;
}

export const chunkOptionNames = ['chunkMs', 'chunkFrames'] as const;

/** The one that was given, else 10 ms. @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
export function checkChunkOptions({ chunkMs, chunkFrames }: ChunkOptions): ChunkOptions {
  if (chunkMs !== undefined && chunkFrames !== undefined) {
    throw invalidValue('options.chunkFrames', chunkFrames, 'excludes options.chunkMs: give one');
  }
  if (chunkFrames !== undefined) {
    return { chunkFrames: checkInteger(chunkFrames, 'options.chunkFrames', 1, 3_840_000) };
  }
  return {
    chunkMs: checkNumber(chunkMs === undefined ? 10 : chunkMs, 'options.chunkMs', 1, 10_000),
  };
}

/** Where the chunks of a stream end. */
export class ChunkPlan {
  readonly #rate: number;
  readonly #options: ChunkOptions;

  /** @param options that have been checked. */
  constructor(sampleRate: number, options: ChunkOptions) {
    this.#rate = sampleRate;
    this.#options = options;
  }

  /** Frames in the first `chunks` chunks. */
  end(chunks: number): number {
    const { chunkMs = 10, chunkFrames } = this.#options;
    return chunkFrames === undefined
      ? Math.floor((chunks * this.#rate * chunkMs) / 1000)
      : chunks * chunkFrames;
  }
}

/** Cuts bytes that come in any portions into the chunks of a plan. */
export class Chunker {
  readonly #plan: ChunkPlan;
  readonly #frameBytes: number;
  #parts: Buffer[] = [];
  #held = 0;
  #chunks = 0;
  #frames = 0;

  constructor(format: AudioFormat, options: ChunkOptions) {
    this.#plan = new ChunkPlan(format.sampleRate, options);
    this.#frameBytes = bytesPerFrame(format);
  }

  /** Gives each chunk that is complete with `bytes`, which are the caller's again afterwards. */
  *push(bytes: Buffer): Generator<Buffer> {
    this.#held += bytes.length;
    let size = this.#nextBytes();
    if (this.#held < size) {
      this.#parts.push(Buffer.from(bytes));
      return;
    }
    const all = Buffer.concat([...this.#parts, bytes], this.#held);
    let taken = 0;
    for (; all.length - taken >= size; size = this.#nextBytes()) {
      yield this.#chunk(all.subarray(taken, (taken += size)));
    }
    this.#parts = taken < all.length ? [all.subarray(taken)] : [];
    this.#held = all.length - taken;
  }

  /** What is left for a last, shorter chunk, whole frames only. */
  rest(): Buffer | undefined {
    const whole = this.#held - (this.#held % this.#frameBytes);
    const all = Buffer.concat(this.#parts, this.#held);
    this.#parts = [];
    this.#held = 0;
    return whole > 0 ? this.#chunk(all.subarray(0, whole)) : undefined;
  }

  /** Frames in all chunks given so far but the last `unread` of them. */
  framesBefore(unread: number): number {
    return Math.min(this.#plan.end(this.#chunks - unread), this.#frames);
  }

  #chunk(bytes: Buffer): Buffer {
    this.#chunks++;
    this.#frames += bytes.length / this.#frameBytes;
    return ownCopy(bytes);
  }

  #nextBytes(): number {
    return (this.#plan.end(this.#chunks + 1) - this.#plan.end(this.#chunks)) * this.#frameBytes;
  }
}

/** Outside Node's shared pool: a chunk may be transferred to a worker, and is aligned for any sample. */
export function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
