import { bytesPerFrame, type AudioFormat } from '../format/format.js';
import { checkInteger, checkNumber, invalidValue } from '../validate.js';

/** How a readable divides its audio into chunks. Only one of the two options can be given. */
export interface ChunkOptions {
  /**
   * The length of each chunk in ms, 1 to 10000. Chunks differ by one frame if this is not a whole number of frames.
   * @default 10
   */
  chunkMs?: number | undefined;
  /** The exact number of frames in each chunk. @default none, `chunkMs` applies */
  chunkFrames?: number | undefined;
}

export const chunkOptionNames = ['chunkMs', 'chunkFrames'] as const;

/**
 * Checks the options. The default is 10 ms. @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`,
 * `ERR_OUT_OF_RANGE`.
 */
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

/** Computes the ends of the chunks of a stream. */
export class ChunkPlan {
  readonly #rate: number;
  readonly #options: ChunkOptions;

  /** @param options checked options. */
  constructor(sampleRate: number, options: ChunkOptions) {
    this.#rate = sampleRate;
    this.#options = options;
  }

  /** The number of frames in the first `chunks` chunks. */
  end(chunks: number): number {
    const { chunkMs = 10, chunkFrames } = this.#options;
    return chunkFrames === undefined
      ? Math.floor((chunks * this.#rate * chunkMs) / 1000)
      : chunks * chunkFrames;
  }
}

/** Cuts bytes that arrive in portions of any size into the chunks of a plan. */
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

  /** Yields each chunk that `bytes` complete. The caller may reuse `bytes` afterwards. */
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

  /** The remaining whole frames, for a last and shorter chunk. */
  rest(): Buffer | undefined {
    const whole = this.#held - (this.#held % this.#frameBytes);
    const all = Buffer.concat(this.#parts, this.#held);
    this.#parts = [];
    this.#held = 0;
    return whole > 0 ? this.#chunk(all.subarray(0, whole)) : undefined;
  }

  /** The number of frames in all chunks so far, without the last `unread` chunks. */
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

/**
 * Copies bytes into a buffer outside Node's pool. Such a buffer can be transferred to a worker, and is aligned for any
 * sample type.
 */
export function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
