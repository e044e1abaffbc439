import type { Readable } from 'node:stream';

/**
 * Listeners with the types of a stream's own events. A class declares it by an interface of its name,
 * beside which Node's `(event: string, listener: (...args: any[]) => void)` stays for all others.
 */
export interface Listen<Events extends { [K in keyof Events]: unknown[] }, Self> {
  <E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): Self;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Node declares it
  (event: string | symbol, listener: (...args: any[]) => void): Self;
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
