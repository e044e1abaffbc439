import type { Readable } from 'node:stream';

// A class has typed listeners by an interface of its name that declares the methods of Node's emitter once
// more: with the class's own events, and as Node has them, for all other names.

/** Listeners of one event. */
export type Listener<Arguments extends unknown[]> = (...args: Arguments) => void;

/** Listeners of an event that the class does not name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Node declares it
export type AnyListener = (...args: any[]) => void;

type NodeIterator = ReturnType<Readable[typeof Symbol.asyncIterator]>;

/** What `for await` over a stream of this package takes its chunks from. */
export interface ChunkIterator extends Omit<
  NodeIterator,
  'next' | 'return' | 'throw' | typeof Symbol.asyncIterator
> {
  next(): Promise<IteratorResult<Buffer, undefined>>;
  return(): Promise<IteratorResult<Buffer, undefined>>;
  throw(error?: unknown): Promise<IteratorResult<Buffer, undefined>>;
  [Symbol.asyncIterator](): ChunkIterator;
}

/** The events of every readable of this package. */
export interface ReadableEvents {
  data: [chunk: Buffer];
  end: [];
  close: [];
  error: [error: Error];
  pause: [];
  resume: [];
  readable: [];
}

/** The events of every Writable. */
export interface WritableEvents {
  drain: [];
  finish: [];
  close: [];
  error: [error: Error];
  pipe: [source: Readable];
  unpipe: [source: Readable];
}
