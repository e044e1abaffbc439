import type { Deferred } from '../engine/deferred.js';
import type { NativeHost, NativeSink } from '../engine/native.js';
import { timersOf } from '../engine/timers.js';

/** A place in what is written, and who waits until it is heard. */
interface Mark {
  readonly played: Deferred<void>;
  /** Bytes before it that the engine has not taken yet. */
  behind: number;
  /** The engine's count of written frames there, once it has taken them. */
  frames?: number;
  /** When it is heard, ns, once the device has taken it. */
  heardAt?: bigint;
}

const leastWaitMs = 1;

/** The places in what is written to a sink whose `played()` somebody waits for. */
export class PlayedMarks {
  readonly #sink: NativeSink;
  readonly #host: NativeHost;
  #marks: Mark[] = [];
  #callOff: (() => void) | undefined;

  constructor(sink: NativeSink, host: NativeHost) {
    this.#sink = sink;
    this.#host = host;
  }

  /** Settles `played` when so many bytes that wait in Node, and all before them, have been heard. */
  add(played: Deferred<void>, behind: number): void {
    const mark: Mark = { played, behind };
    this.#marks.push(mark);
    if (behind === 0) this.#arm(mark);
  }

  /** The engine took so many bytes, or they were thrown away. */
  taken(bytes: number): void {
    for (const mark of this.#marks) {
      if (mark.frames !== undefined) continue;
      mark.behind -= bytes;
      if (mark.behind <= 0) this.#arm(mark);
    }
  }

  /** What has not left the queue is thrown away: what sounds now is faded out in so many ms. */
  cleared(rampMs: number): void {
    const end = this.#endOfTaken() + BigInt(Math.ceil(rampMs * 1e6));
    for (const mark of this.#marks) {
      mark.frames ??= 0;
      mark.heardAt ??= end;
    }
    this.#look();
  }

  /** Everything that the engine has taken was heard. */
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
