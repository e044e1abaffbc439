import type { Readable, Writable } from 'node:stream';

import type { Opened } from '../devices/opened.js';
import { Deferred } from '../engine/deferred.js';

type Stream = Readable | Writable;
type StreamState = { errorEmitted?: boolean };

// The promises of each stream that reject when it fails.
const promises = new WeakMap<Stream, Set<Deferred<never>>>();

/** Makes the promise reject when the stream fails, so that code that awaits it needs no `error` listener. */
export function rejectsWith<T>(stream: Stream, deferred: Deferred<T>): Deferred<T> {
  const known = promises.get(stream) ?? new Set();
  promises.set(stream, known.add(deferred as unknown as Deferred<never>));
  return deferred;
}

/** For `_destroy`. If a promise delivers the error, an `error` event without a listener does not throw it again. */
export function deliverError(stream: Stream, error: Error | null | undefined): void {
  if (!error || !promises.has(stream)) return;
  // Checked when the error is emitted, because `close()` may return the promise after the stream has failed. The listener
  // must be the first one, because that of a pipe emits the error again if it is the last one.
  stream.prependOnceListener('error', () => {
    const delivered = promisesOf(stream).some((waiting) => waiting.delivers(error));
    if (delivered) {
      const ignore = (): void => {};
      stream.on('error', ignore);
      process.nextTick(() => stream.off('error', ignore));
    } else if (stream.listenerCount('error') === 0) {
      throw error; // the same as Node does without a listener
    }
  });
}

function promisesOf(stream: Stream): Deferred<never>[] {
  return [...(promises.get(stream) ?? [])];
}

/** Whether the app has received the error that the stream failed with. */
function hasToldError(stream: Stream): boolean {
  const { errored } = stream;
  if (!errored) return false;
  const states = stream as { [state in '_readableState' | '_writableState']?: StreamState };
  const isEmitted = states._readableState?.errorEmitted || states._writableState?.errorEmitted;
  const isDelivered = promisesOf(stream).some((promise) => promise.hasDelivered(errored));
  return isEmitted || isDelivered;
}

/** Makes the promise of `close()` from `work`. Its rejection causes no `unhandledRejection` if it is not awaited. */
export function closing(stream: Stream, work: () => Promise<void>): Promise<void> {
  const deferred = rejectsWith(stream, new Deferred<void>());
  work().then(
    () => {
      deferred.resolve();
      promises.get(stream)?.delete(deferred as unknown as Deferred<never>);
    },
    (error: Error) => deferred.reject(error),
  );
  return deferred.promise;
}

/**
 * Resolves when the stream has closed, or at once if it has closed already. Rejects if the stream fails before, or if it
 * failed earlier and nothing has reported the error yet.
 */
export function untilClosed(stream: Stream): Promise<void> {
  const failedBefore = hasToldError(stream);
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
    // Our listener must be the first, because an exception in a listener of the app keeps later ones from being called.
    stream.prependOnceListener('close', onClose);
  });
}

/** How long `close()` waits for consumers that read nothing. */
const stuckMs = 1000;

/**
 * Resolves when a readable has closed, or when its consumers have read nothing for a second, because one of them may
 * never read more.
 *
 * @param taken returns how much all consumers together have read.
 */
export function untilTaken(stream: Readable, taken: () => number): Promise<void> {
  return new Promise((resolve, reject) => {
    let before = taken();
    const timer = setInterval(() => {
      const now = taken();
      if (now === before) resolve();
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

/**
 * For the static `open()` of sources and sinks. Resolves with the stream when it is ready, or closes it if it fails.
 */
export async function opened<T extends Stream & { readonly ready: Promise<unknown> }>(
  stream: T,
): Promise<Opened<T>> {
  try {
    return (await stream.ready) as Opened<T>;
  } catch (error) {
    stream.destroy();
    await untilClosed(stream).catch(() => {}); // `ready` has reported the error
    throw error;
  }
}

/** Discards the data of a readable without readers, because Node emits `end` only after all data has been read. */
export function discardUnread(stream: Readable): void {
  if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume();
}

/** Node's own error for a call on a closed stream. */
export function closed(what: string): Error {
  return Object.assign(new Error(`Cannot call ${what} after the stream was closed`), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
