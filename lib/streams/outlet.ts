import type { AsyncResource } from 'node:async_hooks';
import type { Readable, Writable } from 'node:stream';

import { callListeners } from '../engine/call-listeners.js';
import type { AudioStream } from './audio-stream.js';
import { ChunkReaders, type AudioChunk } from './chunk-reader.js';
import { ChunkPlan } from './chunker.js';
import { CopyPipe } from './copy-pipe.js';
import type { DeviceChangeReason } from '../devices/device-keeper.js';
import type { AudioFormat } from '../format/format.js';
import { KeepAlive } from '../engine/keep-alive.js';
import { nextTurn } from '../engine/timers.js';
import { fileBufferMs, filePortionMs, isFile, takesPortions } from './file-destination.js';
import {
  isLinkTarget,
  isUnsubclassed,
  linkTarget,
  type LinkSource,
  type LinkTarget,
} from './links.js';
import type { NativeProducer } from '../engine/native.js';
import { PushedProducer } from './pushed-producer.js';
import { Tap, type TapOwner } from './tap.js';
import { checkDestination } from '../validate.js';

/** A destination of `pipe()`, in `stats().link`. */
export interface LinkStats {
  /** The destination's class. */
  to: string;
  /** Whether the audio flows inside the engine, where a blocked event loop does not interrupt it. */
  linked: boolean;
  /** Why it does not flow inside the engine. */
  reason?: string;
  /** Frames that this destination lost because it was too slow. */
  lostFrames?: number;
  /** Whether the stream no longer flows to it. The newest 32 such destinations are kept for their counts. */
  ended?: boolean;
}

/** The frames that are missing or were replaced by silence, in a `discontinuity` event. */
export interface Discontinuity {
  /** Index in the stream of the first frame concerned. */
  frame: number;
  /** How many frames are concerned. */
  frames: number;
  /**
   * Whether silence of that length replaces the frames. Otherwise the times of the stream step. The silence begins with a
   * fade-out of 3 ms of the sound before it.
   */
  filled: boolean;
  /**
   * The cause.
   *
   * - `device`: the system lost the frames, or the audio of a program arrived too late.
   * - `late`: the audio of a mixer's input arrived too late.
   * - `overrun`: a reader was too slow for its buffer.
   * - `attach`: a program played the frames before it could be captured.
   * - `sleep`: the machine slept, see `maxFillMs`.
   * - `pause`: a meeting was paused.
   * - `deviceLost`, `defaultChange`, `setDevice`: the stream had no device meanwhile, because its device was lost or it
   *   changed to another one.
   */
  reason: 'device' | 'late' | 'overrun' | 'attach' | 'sleep' | 'pause' | DeviceChangeReason;
}

const liveBufferMs = 1000;
const pastRoutes = 32;
const madePerTurn = 16;

/** The connection to a destination. */
interface Route {
  stop(): void;
  /**
   * For a link: called when the stream has ended. The frames that are still in the engine are played. The process stays
   * alive until the destination receives the end and stops the route.
   */
  drain?(): void;
  /** Whether the destination has no deadline. */
  isPatient?: boolean;
  /** Called when there may be more to copy. */
  wake?(): void;
  /** Frames that were copied. */
  copied?(): number;
  /** Called when the stream has ended. Copies everything, even if the destination has no room. */
  deliverRest?(): void;
  stats(): LinkStats;
}

/** The part of a stream that its outlet uses. */
export interface OutletSource {
  readonly producer: NativeProducer | PushedProducer;
  readonly format: Readonly<AudioFormat>;
  readonly plan: ChunkPlan;
  /** How far a consumer may fall behind, if the app has set it. */
  readonly bufferMs?: number | undefined;
  /** The asynchronous context in which the stream was created. */
  readonly context: AsyncResource;
  /** Makes more frames on request if no clock drives the stream, as in a mixer without live inputs. */
  makeMore?(frames: number): boolean;
  /** Called when there are other consumers. */
  consumersChanged?(): void;
  /** Called when JavaScript has delivered everything, so that the readable side ends. */
  ended(): void;
}

/**
 * The output of a stream of the engine: its readable side, the destinations of `pipe()`, and loops over `chunks()`.
 * Each has its own tap.
 */
export class Outlet {
  readonly #stream: LinkSource;
  readonly #source: OutletSource;
  readonly #owner: TapOwner;
  readonly #routes = new Map<Writable, Route>();
  readonly #past: LinkStats[] = [];
  readonly #readers: ChunkReaders;
  #tap: Tap | undefined;
  #wanted = false;
  #pumping = false;
  #producerEnded = false;
  #sideDone = false;
  #ended = false;
  #openCopies = 0;
  #readersLost = 0;
  #made = 0;
  #isResting = false;

  constructor(stream: Readable & AudioStream, source: OutletSource) {
    this.#stream = stream as LinkSource; // what is not linkable is never given to a link
    this.#source = source;
    this.#owner = {
      get producer() {
        return source.producer;
      },
      format: source.format,
      plan: source.plan,
      bufferFrames: this.#bufferFrames(liveBufferMs),
      enter: (callback) => source.context.runInAsyncScope(callback),
      makeMore: (frames) => this.#makeMore(frames),
      overrun: (frame, frames) => {
        const event: Discontinuity = { frame, frames, filled: true, reason: 'overrun' };
        callListeners(() => stream.emit('discontinuity', event));
      },
    };
    this.#readers = new ChunkReaders(
      stream,
      Object.assign(Object.create(this.#owner) as TapOwner, {
        overrun: (frame: number, frames: number) => {
          this.#readersLost += frames;
          this.#owner.overrun(frame, frames);
        },
      }),
    );
  }

  /** Frames that the readable side has delivered. */
  get position(): number {
    const unread = this.#stream.readableLength;
    return Math.max(0, (this.#tap?.frames ?? 0) - this.#source.plan.end(unread));
  }

  /** The index of the first frame that the readable side has delivered; 0 before that. */
  get firstFrame(): number {
    return this.#tap?.firstFrame ?? 0;
  }

  /** Frames that were delivered to the readable side and to all destinations that JavaScript copies to. */
  get taken(): number {
    const routes = [...this.#routes.values()];
    return routes.reduce((sum, route) => sum + (route.copied?.() ?? 0), this.position);
  }

  /** Frames that the readable side, and loops over `chunks()`, lost because they were too slow. */
  get lostFrames(): number {
    return (this.#tap?.lostFrames ?? 0) + this.#readersLost;
  }

  /** Whether all consumers are files that take portions of any size. */
  get isPatient(): boolean {
    const routes = [...this.#routes.values()];
    const isOnlyPiped = !this.#tap && this.#readers.count === 0 && routes.length > 0;
    return isOnlyPiped && routes.every((route) => route.isPatient);
  }

  linkStats(): LinkStats[] {
    return [...this.#past, ...[...this.#routes.values()].map((route) => route.stats())];
  }

  pipe(destination: NodeJS.WritableStream, options?: { end?: boolean | undefined }): void {
    const writable = checkDestination(destination);
    if (this.#routes.has(writable)) return;
    const stdio =
      writable === (process.stdout as object) || writable === (process.stderr as object);
    const end = options?.end !== false && !stdio;
    const target = isLinkTarget(writable) ? writable : undefined;
    const reason = target
      ? this.#link(target, writable, end)
      : 'it is not in the engine: its bytes pass through JavaScript';
    if (reason !== undefined) this.#copy(writable, end, reason);
    this.#source.consumersChanged?.();
  }

  unpipe(destination?: NodeJS.WritableStream): void {
    const all = destination ? [destination as unknown as Writable] : [...this.#routes.keys()];
    for (const writable of all) this.#routes.get(writable)?.stop();
  }

  chunks(): AsyncIterableIterator<AudioChunk> {
    const reader = this.#readers.read();
    this.#source.consumersChanged?.();
    return reader;
  }

  /** For `_read`. */
  read(): void {
    this.#wanted = true;
    if (!this.#tap && !this.#producerEnded) {
      this.#tap = new Tap(this.#owner, () => this.#pump(true));
      this.#source.consumersChanged?.();
    }
    this.#pump();
  }

  /** Called when the engine's stream has ended. Queued audio can still be read. */
  producerEnded(): void {
    if (this.#producerEnded) return;
    this.#producerEnded = true;
    // Called here too, because a wake by the engine does not keep the process alive until it comes.
    this.#wake();
    this.#tryEnd();
  }

  /** For `close()`, when the stream has ended. The destinations that JavaScript copies to receive the rest at once. */
  deliverRest(): void {
    for (const route of [...this.#routes.values()]) route.deliverRest?.();
  }

  /** For `_destroy`. Cuts every connection, except, after the end, links that still play. */
  release(): void {
    this.#producerEnded = true;
    this.#tap?.close();
    for (const route of [...this.#routes.values()]) {
      if (this.#stream.readableEnded && route.drain) route.drain();
      else route.stop();
    }
  }

  #link(target: LinkTarget, destination: Writable, end: boolean): string | undefined {
    // A write to this destination fails with Node's own error.
    if (destination.destroyed || destination.writableEnded) return 'it has ended';
    if (this.#source.producer instanceof PushedProducer) return 'JavaScript makes its frames';
    if (!isUnsubclassed(this.#stream)) return `${this.#stream.constructor.name} is a subclass`;
    if (!isUnsubclassed(target)) return `${target.constructor.name} is a subclass`;
    const reason = target[linkTarget].connect(this.#stream, end);
    if (reason !== undefined) return reason;
    const draining = new KeepAlive(destination);
    const stop = (): void => {
      if (!this.#forget(destination)) return;
      draining.release();
      destination.off('close', stop);
      target[linkTarget].disconnect(this.#stream);
      callListeners(() => destination.emit('unpipe', this.#stream, { hasUnpiped: false }));
    };
    destination.prependListener('close', stop); // before a listener of the app, which may throw
    this.#routes.set(destination, {
      stop,
      drain: () => draining.open(),
      stats: () => ({ to: destination.constructor.name, linked: true }),
    });
    destination.emit('pipe', this.#stream);
    return undefined;
  }

  #wake(): void {
    this.#pump();
    this.#readers.wake();
    for (const route of [...this.#routes.values()]) route.wake?.();
  }

  // Without a clock, each request gets more frames at once. A pause keeps this from starving the event loop.
  #makeMore(frames: number): boolean {
    if (this.#isResting) return false;
    const isMade = this.#source.makeMore?.(frames) ?? false;
    if (isMade && ++this.#made % madePerTurn === 0) {
      this.#isResting = true;
      nextTurn(() => {
        this.#isResting = false;
        this.#wake();
      });
    }
    return isMade;
  }

  #bufferFrames(usualMs: number): number {
    const { bufferMs = usualMs, format } = this.#source;
    return Math.ceil((bufferMs * format.sampleRate) / 1000);
  }

  #ownerFor(destination: Writable): TapOwner {
    if (!isFile(destination)) return this.#owner;
    const { format, plan } = this.#source;
    const inPortions = new ChunkPlan(format.sampleRate, { chunkMs: filePortionMs });
    return Object.assign(Object.create(this.#owner) as TapOwner, {
      plan: takesPortions(destination) ? inPortions : plan,
      bufferFrames: this.#bufferFrames(fileBufferMs),
    });
  }

  #copy(destination: Writable, end: boolean, reason: string): void {
    const owner = this.#ownerFor(destination);
    const pipe = new CopyPipe(this.#stream, owner, destination, end, () => {
      this.#openCopies--;
      this.#forget(destination);
      this.#tryEnd();
    });
    this.#openCopies++;
    this.#routes.set(destination, {
      stop: pipe.stop,
      isPatient: takesPortions(destination),
      wake: pipe.wake,
      copied: () => pipe.frames,
      deliverRest: () => pipe.deliverRest(),
      stats: () => ({
        to: destination.constructor.name,
        linked: false,
        reason,
        lostFrames: pipe.lostFrames,
      }),
    });
  }

  // An app reads the losses of a destination after its end, for example for the report of a recording.
  #forget(destination: Writable): boolean {
    const route = this.#routes.get(destination);
    if (!route) return false;
    this.#routes.delete(destination);
    this.#source.consumersChanged?.();
    const stats = route.stats();
    if (stats.lostFrames !== undefined) this.#past.push({ ...stats, ended: true });
    if (this.#past.length > pastRoutes) this.#past.shift();
    return true;
  }

  #pump(woken = false): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#wanted && !this.#stream.destroyed && this.#tap) {
      const chunk = this.#tap.read();
      if (chunk === null) break;
      if (chunk === undefined) {
        this.#sideDone = true;
        this.#tryEnd();
        break;
      }
      this.#wanted = (woken && this.#hand(chunk)) || this.#stream.push(chunk);
    }
    this.#pumping = false;
  }

  // Emits `data` as push() would, but does not request the next chunk as push() does. That chunk does not exist yet,
  // and the request takes a third of the stream's cost in JavaScript. Node's single call to `_read` stays unanswered
  // until a chunk has to wait.
  #hand(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (!stream.readableDidRead || !stream.readableFlowing || stream.readableLength > 0)
      return false;
    if (stream.readableEncoding !== null) return false;
    return stream.emit('data', chunk);
  }

  // `end` is emitted when every destination that JavaScript copies to has received everything, because pipeline() then
  // ends its destination. A link ends its destination by itself.
  #tryEnd(): void {
    if (this.#ended || this.#stream.destroyed || !this.#producerEnded) return;
    if (this.#openCopies > 0 || (this.#tap && !this.#sideDone)) return;
    this.#ended = true;
    this.#source.ended();
  }
}
