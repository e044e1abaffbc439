import { ownCopy, type ChunkPlan } from './chunker.js';
import { bytesPerFrame, type AudioFormat } from '../format/format.js';
import { native, type NativeProducer, type NativeTap } from '../engine/native.js';
import { PushedProducer } from './pushed-producer.js';

/** The part of a stream that its taps use. */
export interface TapOwner {
  readonly producer: NativeProducer | PushedProducer;
  readonly format: Readonly<AudioFormat>;
  readonly plan: ChunkPlan;
  readonly bufferFrames: number;
  /** Makes more frames on request if no clock drives the stream, as in a mixer without live inputs. */
  makeMore(frames: number): boolean;
  /** Calls back in the asynchronous context in which the stream was created. */
  enter(callback: () => void): void;
  /** Called when a consumer lost frames because it was too slow. */
  overrun(frame: number, frames: number): void;
}

/** One consumer of a stream, with its own buffer. */
export class Tap {
  readonly #owner: TapOwner;
  readonly #frameBytes: number;
  readonly #native: NativeTap;
  readonly #label = new Float64Array(4);
  /** The buffer that was allocated for a chunk that was not complete yet. */
  #spare: Buffer | undefined;
  #chunks = 0;
  #lostFrames = 0;
  #firstFrame: number | undefined;
  #frames = 0;

  /** Begins with the newest audio. `onData` is called on the JS thread when there may be more to read. */
  constructor(owner: TapOwner, onData: () => void) {
    this.#owner = owner;
    this.#frameBytes = bytesPerFrame(owner.format);
    const { producer, bufferFrames, format } = owner;
    const wake = (): void => owner.enter(onData);
    this.#native =
      producer instanceof PushedProducer
        ? producer.openTap(bufferFrames, this.#label, wake)
        : new (native().Tap)(producer, bufferFrames, format.sampleFormat, this.#label, wake);
  }

  /** The index of the first frame that was read; undefined before that. */
  get firstFrame(): number | undefined {
    return this.#firstFrame;
  }

  /** Frames that were read. */
  get frames(): number {
    return this.#frames;
  }

  get lostFrames(): number {
    return this.#lostFrames;
  }

  /** The index of the first frame of the last chunk. */
  get chunkFrame(): number {
    return this.#label[0];
  }

  /** When that frame was heard, in ns of `process.hrtime.bigint()`. */
  get chunkTime(): bigint {
    return BigInt(Math.round(this.#label[1]));
  }

  /** `chunkFlags` of the last chunk. */
  get chunkFlags(): number {
    return this.#label[2];
  }

  /**
   * The next chunk; null if it is not complete yet; undefined if no chunk will follow.
   *
   * @param partly returns whatever there is, and null if there is nothing.
   */
  read(partly = false): Buffer | null | undefined {
    const { plan } = this.#owner;
    const size = plan.end(this.#chunks + 1) - plan.end(this.#chunks);
    const bytes = size * this.#frameBytes;
    // Not from Node's pool, see ownCopy().
    const chunk = this.#spare?.length === bytes ? this.#spare : Buffer.allocUnsafeSlow(bytes);
    let frames = this.#native.read(chunk, partly ? 0 : undefined);
    while (frames === 0 && !partly && this.#owner.makeMore(size)) frames = this.#native.read(chunk);
    if (this.#label[3] > 0 && frames !== 0) this.#tellLosses();
    this.#spare = frames === 0 ? chunk : undefined;
    if (!frames) return frames === 0 ? null : undefined;
    this.#chunks++;
    this.#firstFrame ??= this.chunkFrame;
    this.#frames += frames;
    return frames === size ? chunk : ownCopy(chunk.subarray(0, frames * this.#frameBytes));
  }

  #tellLosses(): void {
    for (const { frame, frames } of this.#native.takeLosses()) {
      this.#lostFrames += frames;
      this.#owner.overrun(frame, frames);
    }
  }

  close(): void {
    this.#lostFrames = this.#native.stats().lostFrames;
    this.#native.close();
    this.#spare = undefined;
  }
}
