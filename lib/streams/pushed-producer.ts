import type { NativeTap } from '../engine/native.js';
import { bytesPerFrame, type AudioFormat } from '../format/format.js';
import { chunkFlags } from './chunk-flags.js';

/** Consecutive frames that JavaScript has made. */
export interface PushedFrames {
  /** The index of the first frame. */
  frame: number;
  frames: number;
  /** The samples, interleaved, in the stream's format. */
  bytes: Buffer;
  /** The peak of the samples, linear. */
  peak: number;
  /** The sum of the squares of all samples. */
  energy: number;
  /** When the first frame was heard, in ns of `process.hrtime.bigint()`. */
  time: number;
  /** `chunkFlags`. */
  flags: number;
}

const levelMs = 100;

/**
 * The counterpart of a producer of the engine for a live stream whose frames JavaScript makes. An `Outlet` reads it.
 * Each tap has its own position. A tap that falls behind by more than its buffer loses the newest frames.
 */
export class PushedProducer {
  readonly #format: Readonly<AudioFormat>;
  readonly #taps = new Set<PushedTap>();
  #recent: PushedFrames[] = [];
  #ended = false;

  constructor(format: Readonly<AudioFormat>) {
    this.#format = format;
  }

  /** Adds frames. The taps read them after `wake()`. */
  push(pushed: PushedFrames): void {
    for (const tap of this.#taps) tap.push(pushed);
    this.#recent.push(pushed);
    const first = pushed.frame + pushed.frames - (this.#format.sampleRate * levelMs) / 1000;
    while (this.#recent[0].frame + this.#recent[0].frames <= first) this.#recent.shift();
  }

  /** Called when no more frames follow. */
  end(): void {
    this.#ended = true;
    for (const tap of this.#taps) tap.end();
  }

  wake(): void {
    for (const tap of [...this.#taps]) tap.onData();
  }

  /** Peak and RMS of the last 100 ms, dBFS. */
  level(): { peakDb: number; rmsDb: number } {
    let [peak, energy, samples] = [0, 0, 0];
    for (const one of this.#recent) {
      peak = Math.max(peak, one.peak);
      energy += one.energy;
      samples += one.frames * this.#format.channels;
    }
    return { peakDb: 20 * Math.log10(peak), rmsDb: 10 * Math.log10(energy / (samples || 1)) };
  }

  openTap(bufferFrames: number, label: Float64Array, onData: () => void): NativeTap {
    const tap = new PushedTap(this.#format, bufferFrames, label, onData, () =>
      this.#taps.delete(tap),
    );
    if (this.#ended) tap.end();
    this.#taps.add(tap);
    return tap;
  }
}

/** Frames that wait in a tap. Without `bytes` they were lost. */
interface Waiting {
  frame: number;
  frames: number;
  bytes: Buffer | undefined;
  time: number;
  flags: number;
}

class PushedTap implements NativeTap {
  readonly onData: () => void;
  readonly #frameBytes: number;
  readonly #nsPerFrame: number;
  readonly #bufferFrames: number;
  readonly #label: Float64Array;
  readonly #onClose: () => void;
  #waiting: Waiting[] = [];
  /** Frames that wait. */
  #length = 0;
  /** The waiting frames that have bytes. */
  #kept = 0;
  /** Frames of `#waiting[0]` that have been read. */
  #offset = 0;
  #lost = 0;
  /** The losses that have been read and not been taken. */
  #losses: { frame: number; frames: number }[] = [];
  #ended = false;

  constructor(
    format: Readonly<AudioFormat>,
    bufferFrames: number,
    label: Float64Array,
    onData: () => void,
    onClose: () => void,
  ) {
    this.#frameBytes = bytesPerFrame(format);
    this.#nsPerFrame = 1e9 / format.sampleRate;
    this.#bufferFrames = bufferFrames;
    this.#label = label;
    this.onData = onData;
    this.#onClose = onClose;
  }

  push({ frame, frames, bytes, time, flags }: PushedFrames): void {
    const room = Math.min(frames, Math.max(0, this.#bufferFrames - this.#kept));
    if (room > 0) {
      const kept = bytes.subarray(0, room * this.#frameBytes);
      this.#waiting.push({ frame, frames: room, bytes: kept, time, flags });
      this.#kept += room;
    }
    if (room < frames) this.#lose(frame + room, frames - room, time + room * this.#nsPerFrame);
    this.#length += frames;
  }

  end(): void {
    this.#ended = true;
  }

  read(into: Uint8Array, least?: number): number | undefined {
    const wanted = into.length / this.#frameBytes;
    if (this.#length === 0) return this.#ended ? undefined : 0;
    if (this.#length < (least ?? wanted) && !this.#ended) return 0;
    const frames = Math.min(wanted, this.#length);
    const [first] = this.#waiting;
    this.#label[0] = first.frame + this.#offset;
    this.#label[1] = first.time + this.#offset * this.#nsPerFrame;
    this.#label[2] = 0;
    for (let done = 0; done < frames;) done += this.#take(into, done, frames - done);
    this.#label[3] = this.#losses.length;
    this.#length -= frames;
    return frames;
  }

  takeLosses(): { frame: number; frames: number }[] {
    return this.#losses.splice(0);
  }

  close(): void {
    this.#waiting = [];
    this.#length = this.#kept = this.#offset = 0;
    this.#onClose();
  }

  stats(): { lostFrames: number } {
    return { lostFrames: this.#lost };
  }

  #lose(frame: number, frames: number, time: number): void {
    this.#lost += frames;
    const last = this.#waiting.at(-1);
    if (last && !last.bytes) last.frames += frames;
    else this.#waiting.push({ frame, frames, bytes: undefined, time, flags: chunkFlags.lost });
  }

  #take(into: Uint8Array, at: number, most: number): number {
    const [head] = this.#waiting;
    const frames = Math.min(most, head.frames - this.#offset);
    const start = at * this.#frameBytes;
    if (head.bytes) {
      const from = this.#offset * this.#frameBytes;
      into.set(head.bytes.subarray(from, from + frames * this.#frameBytes), start);
      this.#kept -= frames;
    } else {
      into.fill(0, start, start + frames * this.#frameBytes);
    }
    this.#label[2] |= head.flags;
    this.#offset += frames;
    if (this.#offset === head.frames) {
      this.#waiting.shift();
      this.#offset = 0;
      if (!head.bytes) this.#losses.push({ frame: head.frame, frames: head.frames });
    }
    return frames;
  }
}
