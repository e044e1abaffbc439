import type { Deferred } from '../engine/deferred.js';
import type { NativeHost, NativeSink } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

/** A position in the written bytes, and the promise that resolves when it has been heard. */
interface Mark {
  readonly played: Deferred<void>;
  /** Bytes before it that the engine has not taken yet. */
  behind: number;
  /** The engine's count of written frames at this position, once it has taken them. */
  frames?: number;
  /** When the position is heard, in ns, once the device has taken it. */
  heardAt?: bigint;
}

const leastWaitMs = 1;

/** The positions in the written bytes of a sink for which `played()` was called. */
export class PlayedMarks {
  readonly #sink: NativeSink;
  readonly #host: NativeHost;
  #marks: Mark[] = [];
  #callOff: (() => void) | undefined;

  constructor(sink: NativeSink, host: NativeHost) {
    this.#sink = sink;
    this.#host = host;
  }

  /** Resolves `played` when the bytes up to this position have been heard. Node still buffers `behind` of them. */
  add(played: Deferred<void>, behind: number): void {
    const mark: Mark = { played, behind };
    this.#marks.push(mark);
    if (behind === 0) this.#arm(mark);
  }

  /** The engine has taken so many bytes, or they were discarded. */
  taken(bytes: number): void {
    for (const mark of this.#marks) {
      if (mark.frames !== undefined) continue;
      mark.behind -= bytes;
      if (mark.behind <= 0) this.#arm(mark);
    }
  }

  /** The queue was discarded. The sound that plays now fades out within so many ms. */
  cleared(rampMs: number): void {
    const end = this.#endOfTaken() + BigInt(Math.ceil(rampMs * 1e6));
    for (const mark of this.#marks) {
      mark.frames ??= 0;
      mark.heardAt ??= end;
    }
    this.#look();
  }

  /** Everything that the engine has taken has been heard. */
  allHeard(): void {
    this.#settle((mark) => mark.frames !== undefined);
  }

  fail(error: Error): void {
    for (const { played } of this.#marks) played.reject(error);
    this.#marks = [];
    this.#callOff?.();
  }

  #arm(mark: Mark): void {
    mark.frames = this.#sink.stats().writtenFrames ?? 0;
    this.#look();
  }

  #look(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const { writtenFrames = 0, queuedFrames = 0, writtenRate = 1 } = this.#sink.stats();
    const gone = writtenFrames - queuedFrames;
    const now = this.#host.now();
    let wait = Infinity;
    for (const mark of this.#marks) {
      if (mark.frames === undefined) break;
      const ahead = (mark.frames - gone) / writtenRate;
      if (ahead <= 0) mark.heardAt ??= this.#endOfTaken() + BigInt(Math.ceil(ahead * 1e9));
      const ms = mark.heardAt === undefined ? ahead * 1000 : Number(mark.heardAt - now) / 1e6;
      wait = Math.min(wait, Math.max(ms, leastWaitMs));
    }
    this.#settle(({ heardAt }) => heardAt !== undefined && heardAt <= now);
    if (this.#marks.length === 0 || wait === Infinity) return;
    this.#callOff = timersOf(this.#host).after(wait, () => this.#look(), false);
  }

  /** When the last frame that the device has taken is heard. */
  #endOfTaken(): bigint {
    const { frames, heldMs } = this.#sink.stats();
    const end = this.#sink.timeAt(frames) ?? this.#host.now();
    return end + BigInt(Math.ceil(heldMs * 1e6));
  }

  #settle(isHeard: (mark: Mark) => boolean): void {
    for (const mark of this.#marks) if (isHeard(mark)) mark.played.resolve();
    this.#marks = this.#marks.filter((mark) => !isHeard(mark));
  }
}
