import type { AudioFormat } from '../format/format.js';
import { chunkFlags } from '../streams/chunk-flags.js';
import type { PushedProducer } from '../streams/pushed-producer.js';
import { fromFloat32 } from '../transforms/convert.js';
import type { Mixdown, SideName } from './mixdown.js';
import { Ramp } from './ramp.js';
import type { Side } from './side.js';
import type { TimeMap } from './time-map.js';

/** A receiver of a timeline's frames. */
export interface Output {
  readonly format: Readonly<AudioFormat>;
  readonly producer: PushedProducer;
}

export interface TimelineParts {
  sampleRate: number;
  sides: readonly Side[];
  mixdown: Mixdown;
  map: TimeMap;
  /** The outputs: one for each side, and the mix. */
  outputs: Readonly<Partial<Record<SideName, Output>> & { mix: Output }>;
  /** When a frame was heard. */
  timeAt(frame: number): bigint;
  /** Called after a pause: so many frames were omitted before this frame of the tracks. */
  leftOut(frame: number, frames: number): void;
  /** Called after the last frame. */
  finished(): void;
}

/** Frames of all sides that wait until the limiter has output the same frames. */
interface Block {
  frames: number;
  time: number;
  sides: { name: SideName; samples: Float32Array; flags: number }[];
}

const blockMs = 20;
const fadeMs = 3;
/** How long one side waits for the other. After that, silence replaces late frames. */
const waitMs = 2000;

/**
 * Joins the sides of a meeting. All outputs get the same number of frames in one step, so they always have the same
 * length. A change at a frame takes effect in all of them at that frame.
 */
export class Timeline {
  readonly #parts: TimelineParts;
  readonly #marks: { frame: number; apply: () => void }[] = [];
  readonly #fades: Map<Side, Ramp>;
  #position = 0;
  #given = 0;
  #paused = false;
  #pausedAt = 0;
  #stop = Infinity;
  #advancing = false;
  #isFinished = false;
  #blocks: Block[] = [];
  #mixed: Float32Array = new Float32Array(0);

  constructor(parts: TimelineParts) {
    this.#parts = parts;
    this.#fades = new Map(parts.sides.map((side) => [side, new Ramp(1)]));
  }

  /** The next frame of the sources. */
  get position(): number {
    return this.#position;
  }

  /** Frames that each output has received. */
  get given(): number {
    return this.#given;
  }

  /** The frame of the sources at which the outputs end. */
  get stop(): number {
    return this.#stop;
  }

  framesOf(ms: number): number {
    return Math.round((this.#parts.sampleRate * ms) / 1000);
  }

  /** Calls `apply` at a frame of the sources, or now if that frame has passed. Returns the frame. */
  at(frame: number, apply: () => void): number {
    const due = Math.max(this.#position, Math.round(frame));
    const behind = this.#marks.findIndex((mark) => mark.frame > due);
    this.#marks.splice(behind < 0 ? this.#marks.length : behind, 0, { frame: due, apply });
    return due;
  }

  /** Omits frames from all outputs from this frame on. */
  pause(frame: number): void {
    const from = Math.max(this.#position, Math.round(frame));
    const fades = Math.min(this.framesOf(fadeMs), from - this.#position);
    this.#parts.map.cut(from);
    this.at(from - fades, () => this.#fade(0, fades));
    this.#pausedAt = this.at(from, () => (this.#paused = true));
  }

  /** Stops omitting frames at this frame. */
  resume(frame: number): void {
    const from = this.#pausedAt;
    const to = this.at(Math.max(frame, from), () => {
      this.#paused = false;
      this.#fade(1, this.framesOf(fadeMs));
      const left = to - from;
      if (left > 0) this.#parts.leftOut(this.#parts.map.toTrack(to), left);
    });
    this.#parts.map.mend(to);
  }

  /** Ends the outputs before this frame. */
  stopAt(frame: number): number {
    this.#stop = Math.max(this.#position, Math.round(frame));
    return this.#stop;
  }

  /** Outputs the frames that all sides have. */
  advance(): void {
    if (this.#advancing || this.#isFinished) return;
    this.#advancing = true;
    while (this.#step());
    this.#advancing = false;
    if (this.#position >= this.#stop) this.#finish();
  }

  #frontier(): number {
    const { sides } = this.#parts;
    const most = Math.max(...sides.map(({ end }) => end));
    const open = sides.filter(({ isOver }) => !isOver).map(({ end }) => end);
    const least = open.length > 0 ? Math.min(...open) : this.#stop === Infinity ? most : this.#stop;
    return Math.min(this.#stop, Math.max(least, most - this.framesOf(waitMs)));
  }

  #step(): boolean {
    const frontier = this.#frontier();
    if (this.#position >= frontier) return false;
    while (this.#marks.length > 0 && this.#marks[0].frame <= this.#position) {
      this.#marks.shift()?.apply();
    }
    const end = Math.min(
      frontier,
      this.#marks[0]?.frame ?? Infinity,
      this.#position + this.framesOf(blockMs),
    );
    const frames = end - this.#position;
    const sides = this.#parts.sides.map((side) => {
      const { samples, flags } = side.read(this.#position, frames);
      this.#fades.get(side)?.apply(samples, samples.length / frames);
      return { name: side.name, samples, flags };
    });
    const time = Number(this.#parts.timeAt(this.#position));
    this.#position = end;
    if (this.#paused) return true;
    this.#blocks.push({ frames, time, sides });
    this.#give(this.#parts.mixdown.mix(frames, sides));
    return true;
  }

  #fade(target: number, frames: number): void {
    for (const ramp of this.#fades.values()) ramp.to(target, frames);
  }

  // Outputs whole blocks, as soon as the limiter has output all of a block.
  #give(mixed: Float32Array): void {
    this.#mixed = joined(this.#mixed, mixed);
    const { channels } = this.#parts.outputs.mix.format;
    let given = false;
    for (let block = this.#blocks[0]; block; block = this.#blocks[0]) {
      const length = block.frames * channels;
      if (this.#mixed.length < length) break;
      this.#blocks.shift();
      this.#push(block, this.#mixed.slice(0, length));
      this.#mixed = this.#mixed.slice(length);
      given = true;
    }
    if (given) this.#wake();
  }

  #push({ frames, time, sides }: Block, mix: Float32Array): void {
    const { outputs, map } = this.#parts;
    map.note(this.#given, BigInt(Math.round(time)));
    let [silence, others] = [chunkFlags.silence as number, 0];
    for (const { name, samples, flags } of sides) {
      silence &= flags;
      others |= flags & ~chunkFlags.silence;
      const output = outputs[name];
      if (output) pushInto(output, this.#given, frames, samples, time, flags);
    }
    pushInto(outputs.mix, this.#given, frames, mix, time, silence | others);
    this.#given += frames;
  }

  #wake(): void {
    for (const { producer } of Object.values(this.#parts.outputs)) producer.wake();
  }

  #finish(): void {
    this.#isFinished = true;
    this.#give(this.#parts.mixdown.flush());
    for (const { producer } of Object.values(this.#parts.outputs)) producer.end();
    this.#wake();
    this.#parts.finished();
  }
}

function pushInto(
  { format, producer }: Output,
  frame: number,
  frames: number,
  samples: Float32Array,
  time: number,
  flags: number,
): void {
  let [peak, energy] = [0, 0];
  for (const sample of samples) {
    peak = Math.max(peak, Math.abs(sample));
    energy += sample * sample;
  }
  const { sampleFormat, channels } = format;
  const bytes = fromFloat32(samples, { sampleFormat, channels });
  producer.push({ frame, frames, bytes, peak, energy, time, flags });
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  if (a.length === 0) return b;
  const all = new Float32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
