import type { ChunkPlan } from './chunker.js';
import type { AudioFormat } from './format.js';
import { native, type NativeChunk, type NativeProducer, type NativeTap } from './native.js';

/** Flags of a chunk: why it, or part of it, is silence. */
export const chunkFlags = Object.freeze({
  /** Nothing was playing, or the device was not open yet. */
  silence: 1,
  /** The device or the system lost these frames. */
  hole: 2,
  /** This consumer was too slow and lost them. */
  lost: 4,
});

/** What a consumer reads from. */
export interface PlaceOwner {
  readonly producer: NativeProducer;
  readonly format: Readonly<AudioFormat>;
  readonly plan: ChunkPlan;
  readonly bufferFrames: number;
  /** Makes more for whoever asks, where no clock does: a mixer without live inputs. */
  makeMore(frames: number): boolean;
  /** A consumer lost frames because it was too slow. */
  overrun(frame: number, frames: number): void;
}

/** One consumer's place in a stream, with a buffer of its own. */
export class Place {
  readonly #owner: PlaceOwner;
  readonly #tap: NativeTap;
  #chunks = 0;
  #lostFrames = 0;
  #firstFrame: number | undefined;
  #frames = 0;

  /** It starts at the live edge. `onData` is called on the JS thread when there may be more to read. */
  constructor(owner: PlaceOwner, onData: () => void) {
    this.#owner = owner;
    this.#tap = new (native().Tap)(owner.producer, owner.bufferFrames, onData);
  }

  /** The stream's index of the first frame read; undefined before that. */
  get firstFrame(): number | undefined {
    return this.#firstFrame;
  }

  /** Frames read. */
  get frames(): number {
    return this.#frames;
  }

  get lostFrames(): number {
    return this.#lostFrames;
  }

  /** The next chunk; null: not yet; undefined: there will be none. */
  read(): NativeChunk | null | undefined {
    const { plan, format } = this.#owner;
    const size = plan.end(this.#chunks + 1) - plan.end(this.#chunks);
    let chunk = this.#tap.read(size, format.sampleFormat);
    while (chunk === null && this.#owner.makeMore(size)) {
      chunk = this.#tap.read(size, format.sampleFormat);
    }
    if (!chunk) return chunk;
    this.#chunks++;
    this.#firstFrame ??= chunk.frame;
    this.#frames += chunk.frames;
    if (chunk.flags & chunkFlags.lost) {
      const { lostFrames } = this.#tap.stats();
      if (lostFrames > this.#lostFrames) {
        this.#owner.overrun(chunk.frame, lostFrames - this.#lostFrames);
        this.#lostFrames = lostFrames;
      }
    }
    return chunk;
  }

  close(): void {
    this.#lostFrames = this.#tap.stats().lostFrames;
    this.#tap.close();
  }
}
