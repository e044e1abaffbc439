import type { Readable, Writable } from 'node:stream';

import { Deferred } from '../engine/deferred.js';

type Stream = Readable | Writable;

// The promises of each stream that reject when it fails.
const promises = new WeakMap<Stream, Set<Deferred<never>>>();

/** The promise rejects when the stream fails: whoever waits for it needs no `error` listener. */
export function rejectsWith<T>(stream: Stream, deferred: Deferred<T>): Deferred<T> {
  const known = promises.get(stream) ?? new Set();
  promises.set(stream, known.add(deferred as unknown as Deferred<never>));
  return deferred;
}

/** For `_destroy`: an error that somebody receives by a promise is not an unhandled `error` event besides. */
export function deliverError(stream: Stream, error: Error | null | undefined): void {
  const known = promises.get(stream);
  if (!error || !known) return;
  // Only when the error is emitted: the caller of `close()` may get the promise after the stream has failed.
  // First: a pipe's own listener emits the error again if it is the last one.
  stream.prependOnceListener('error', () => {
    const delivered = [...known].some((waiting) => waiting.delivers(error));
    if (delivered) {
      const ignore = (): void => {};
      stream.on('error', ignore);
      process.nextTick(() => stream.off('error', ignore));
    } else if (stream.listenerCount('error') === 0) {
      throw error; // as Node does where there is no listener
    }
  });
}

/** The promise of `close()`: that of `work`, and no `unhandledRejection` where nobody waits for it. */
export function closing(stream: Stream, work: () => Promise<void>): Promise<void> {
  const deferred = rejectsWith(stream, new Deferred<void>());
  work()
    .then(
      () => deferred.resolve(),
      (error: Error) => deferred.reject(error),
    )
    .finally(() => promises.get(stream)?.delete(deferred as unknown as Deferred<never>));
  return deferred.promise;
}

/**
 * Resolves when the stream has closed, also if it has already; rejects if it fails on the way. A
 * stream that failed earlier has said so with its `error` event and merely has to close.
 */
export function untilClosed(stream: Stream): Promise<void> {
  const failedBefore = stream.errored !== null;
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      const failure: Error | null = stream.errored;
      if (failure && !failedBefore) reject(failure);
      else resolve();
    };
    if (stream.closed) {
      onClose();
      return;
    }
    // First: a listener of the app that throws keeps those behind it from being called.
    stream.prependOnceListener('close', onClose);
    // One of `finish` that throws keeps Node from destroying the stream.
    if (!('readableEnded' in stream)) {
      stream.prependOnceListener('finish', () => setImmediate(() => stream.destroy()));
    }
  });
}

/** How long `close()` waits for consumers that take nothing. */
const stuckMs = 1000;

/**
 * Resolves when a readable has closed, or when its consumers have taken nothing of it for a second: one of
 * them may never take more.
 *
 * @param taken counts what all consumers together have taken.
 */
export function untilTaken(stream: Readable, taken: () => number): Promise<void> {
  return new Promise((resolve, reject) => {
    let before = taken();
    const timer = setInterval(() => {
      const now = taken();
      if (now === before) {
        if (stream.readableEnded) stream.destroy(); // a listener of `end` threw, and kept Node from it
        resolve();
      }
      before = now;
    }, stuckMs);
    untilClosed(stream)
      .then(resolve, reject)
      .finally(() => clearInterval(timer));
  });
}

/** `untilClosed()` for an app. */
export function whenClosed(stream: Stream): Promise<void> {
  return closing(stream, () => untilClosed(stream));
}

/** For the static `open()` of sources and sinks: the stream, once it is ready; else nothing stays open. */
export async function opened<T extends Stream & { readonly ready: Promise<unknown> }>(
  stream: T,
): Promise<T> {
  try {
    await stream.ready;
  } catch (error) {
    stream.destroy();
    await untilClosed(stream).catch(() => {}); // `ready` has told why
    throw error;
  }
  return stream;
}

/** Lets a readable that nobody reads come to its end, which Node emits only when all was read. */
export function discardUnread(stream: Readable): void {
  if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume();
}

/** Node's own error for a call on a stream that is over. */
export function closed(what: string): Error {
  return Object.assign(new Error(`Cannot call ${what} after the stream was closed`), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
