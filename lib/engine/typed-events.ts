import { EventEmitter } from 'node:events';
import { Readable, Transform, Writable } from 'node:stream';

import { checkDestination } from '../validate.js';
import { guardListeners } from './call-listeners.js';
import { isRefusalOf } from './refusal.js';

// Node's declarations accept every event name. The classes below are Node's own, but they declare which events
// exist and what their listeners receive, so that a misspelt name does not compile. The events that Node's streams
// have are declared one by one: these declarations are the same in all classes, so that a variable which holds one
// of several streams has them too. TypeScript cannot declare all this once for the four classes.

/** A listener with these arguments. For an event without arguments it may be the `resolve` of a promise. */
export type Listener<Arguments> = Arguments extends []
  ? (...none: undefined[]) => void
  : Arguments extends unknown[]
    ? (...args: Arguments) => void
    : never;

type NodeIterator = ReturnType<Readable[typeof Symbol.asyncIterator]>;

/** The iterator of `for await` over a stream of this package. */
export interface ChunkIterator extends Omit<
  NodeIterator,
  'next' | 'return' | 'throw' | typeof Symbol.asyncIterator
> {
  next(): Promise<IteratorResult<Buffer, undefined>>;
  return(): Promise<IteratorResult<Buffer, undefined>>;
  throw(error?: unknown): Promise<IteratorResult<Buffer, undefined>>;
  [Symbol.asyncIterator](): ChunkIterator;
}

/** The events of every emitter. */
export interface EmitterEvents {
  /** A listener is about to be added. */
  newListener: [event: string | symbol, listener: (...args: unknown[]) => void];
  /** A listener was removed. */
  removeListener: [event: string | symbol, listener: (...args: unknown[]) => void];
}

/** The events of every readable of this package. */
export interface ReadableEvents extends EmitterEvents {
  data: [chunk: Buffer];
  end: [];
  close: [];
  error: [error: Error];
  pause: [];
  resume: [];
  readable: [];
}

/** The events of every Writable. */
export interface WritableEvents extends EmitterEvents {
  drain: [];
  finish: [];
  close: [];
  error: [error: Error];
  pipe: [source: Readable];
  unpipe: [source: Readable];
}

/** Options of `pipe()`. */
export type PipeOptions = { end?: boolean | undefined } | undefined;

type ReadableSignal = 'end' | 'close' | 'pause' | 'resume' | 'readable';
type WritableSignal = 'drain' | 'finish' | 'close';

/** Node's `EventEmitter`, with the names and arguments of its events. */
// eslint-disable-next-line @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-declaration-merging -- see above
export abstract class TypedEmitter<Events> extends EventEmitter {}

export interface TypedEmitter<Events> {
  on(event: never, listener: never): this;
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  once(event: never, listener: never): this;
  once<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  off(event: never, listener: never): this;
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  addListener(event: never, listener: never): this;
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  removeListener(event: never, listener: never): this;
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependListener(event: never, listener: never): this;
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependOnceListener(event: never, listener: never): this;
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  emit(event: never, ...args: never[]): boolean;
  emit<E extends keyof Events>(event: E, ...args: Extract<Events[E], unknown[]>): boolean;
}

/** Node's `Readable`, with the names and arguments of its events. */
// eslint-disable-next-line @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-declaration-merging -- see above
export abstract class TypedReadable<Events> extends Readable {
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: PipeOptions): T {
    checkDestination(destination);
    return super.pipe(destination, options);
  }
}

export interface TypedReadable<Events> {
  on(event: ReadableSignal, listener: Listener<[]>): this;
  on(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  on(event: 'error', listener: Listener<[error: Error]>): this;
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  once(event: ReadableSignal, listener: Listener<[]>): this;
  once(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  once(event: 'error', listener: Listener<[error: Error]>): this;
  once<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  off(event: ReadableSignal, listener: Listener<[]>): this;
  off(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  off(event: 'error', listener: Listener<[error: Error]>): this;
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  addListener(event: ReadableSignal, listener: Listener<[]>): this;
  addListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  addListener(event: 'error', listener: Listener<[error: Error]>): this;
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  removeListener(event: ReadableSignal, listener: Listener<[]>): this;
  removeListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  removeListener(event: 'error', listener: Listener<[error: Error]>): this;
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependListener(event: ReadableSignal, listener: Listener<[]>): this;
  prependListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  prependListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependOnceListener(event: ReadableSignal, listener: Listener<[]>): this;
  prependOnceListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  prependOnceListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  emit(event: ReadableSignal, ...args: []): boolean;
  emit(event: 'data', ...args: [chunk: Buffer]): boolean;
  emit(event: 'error', ...args: [error: Error]): boolean;
  emit<E extends keyof Events>(event: E, ...args: Extract<Events[E], unknown[]>): boolean;
  [Symbol.asyncIterator](): ChunkIterator;
}

/** Node's `Transform`, with the names and arguments of its events. */
// eslint-disable-next-line @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-declaration-merging -- see above
export abstract class TypedTransform<Events> extends Transform {
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: PipeOptions): T {
    checkDestination(destination);
    return super.pipe(destination, options);
  }

  override destroy(error?: Error): this {
    return isRefusalOf(this, error) ? this : super.destroy(error);
  }
}

export interface TypedTransform<Events> {
  on(event: ReadableSignal, listener: Listener<[]>): this;
  on(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  on(event: 'error', listener: Listener<[error: Error]>): this;
  on(event: WritableSignal, listener: Listener<[]>): this;
  on(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  once(event: ReadableSignal, listener: Listener<[]>): this;
  once(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  once(event: 'error', listener: Listener<[error: Error]>): this;
  once(event: WritableSignal, listener: Listener<[]>): this;
  once(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  once<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  off(event: ReadableSignal, listener: Listener<[]>): this;
  off(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  off(event: 'error', listener: Listener<[error: Error]>): this;
  off(event: WritableSignal, listener: Listener<[]>): this;
  off(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  addListener(event: ReadableSignal, listener: Listener<[]>): this;
  addListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  addListener(event: 'error', listener: Listener<[error: Error]>): this;
  addListener(event: WritableSignal, listener: Listener<[]>): this;
  addListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  removeListener(event: ReadableSignal, listener: Listener<[]>): this;
  removeListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  removeListener(event: 'error', listener: Listener<[error: Error]>): this;
  removeListener(event: WritableSignal, listener: Listener<[]>): this;
  removeListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependListener(event: ReadableSignal, listener: Listener<[]>): this;
  prependListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  prependListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependListener(event: WritableSignal, listener: Listener<[]>): this;
  prependListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependOnceListener(event: ReadableSignal, listener: Listener<[]>): this;
  prependOnceListener(event: 'data', listener: Listener<[chunk: Buffer]>): this;
  prependOnceListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependOnceListener(event: WritableSignal, listener: Listener<[]>): this;
  prependOnceListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  emit(event: ReadableSignal, ...args: []): boolean;
  emit(event: 'data', ...args: [chunk: Buffer]): boolean;
  emit(event: 'error', ...args: [error: Error]): boolean;
  emit(event: WritableSignal, ...args: []): boolean;
  emit(event: 'pipe' | 'unpipe', ...args: [source: Readable]): boolean;
  emit<E extends keyof Events>(event: E, ...args: Extract<Events[E], unknown[]>): boolean;
  [Symbol.asyncIterator](): ChunkIterator;
}

/** Node's `Writable`, with the names and arguments of its events. */
// eslint-disable-next-line @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-declaration-merging -- see above
export abstract class TypedWritable<Events> extends Writable {
  override destroy(error?: Error): this {
    return isRefusalOf(this, error) ? this : super.destroy(error);
  }
}

export interface TypedWritable<Events> {
  on(event: WritableSignal, listener: Listener<[]>): this;
  on(event: 'error', listener: Listener<[error: Error]>): this;
  on(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  once(event: WritableSignal, listener: Listener<[]>): this;
  once(event: 'error', listener: Listener<[error: Error]>): this;
  once(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  once<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  off(event: WritableSignal, listener: Listener<[]>): this;
  off(event: 'error', listener: Listener<[error: Error]>): this;
  off(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  addListener(event: WritableSignal, listener: Listener<[]>): this;
  addListener(event: 'error', listener: Listener<[error: Error]>): this;
  addListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  removeListener(event: WritableSignal, listener: Listener<[]>): this;
  removeListener(event: 'error', listener: Listener<[error: Error]>): this;
  removeListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependListener(event: WritableSignal, listener: Listener<[]>): this;
  prependListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  prependOnceListener(event: WritableSignal, listener: Listener<[]>): this;
  prependOnceListener(event: 'error', listener: Listener<[error: Error]>): this;
  prependOnceListener(event: 'pipe' | 'unpipe', listener: Listener<[source: Readable]>): this;
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this;
  emit(event: WritableSignal, ...args: []): boolean;
  emit(event: 'error', ...args: [error: Error]): boolean;
  emit(event: 'pipe' | 'unpipe', ...args: [source: Readable]): boolean;
  emit<E extends keyof Events>(event: E, ...args: Extract<Events[E], unknown[]>): boolean;
}

for (const { prototype } of [TypedReadable, TypedTransform, TypedWritable])
  guardListeners(prototype);
