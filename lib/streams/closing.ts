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

const closes = new WeakMap<Stream, Promise<void>>();

// One listener for all calls, because Node warns of a leak if there are more than ten.
function closeOf(stream: Stream): Promise<void> {
  const known = closes.get(stream);
  if (known) return known;
  const close = new Promise<void>((resolve) => {
    // Our listener must be the first, because an exception in a listener of the app keeps later ones from being called.
    stream.prependOnceListener('close', resolve);
  });
  closes.set(stream, close);
  return close;
}

/**
 * Resolves when the stream has closed, or at once if it has closed already. Rejects if the stream fails before, or if it
 * failed earlier and nothing has reported the error yet.
 */
export async function untilClosed(stream: Stream): Promise<void> {
  const failedBefore = hasToldError(stream);
  if (!stream.closed) await closeOf(stream);
  const failure: Error | null = stream.errored;
  if (failure && !failedBefore) throw failure;
}

/** How long `close()` waits for consumers that read nothing. */
const stuckMs = 1000;

/** How long a stream that has delivered everything may take to close. */
const closesWithinMs = 100;

/**
 * Resolves when a readable has closed. If its consumers have read nothing for a second, one of them may never read
 * more. Then the stream delivers the rest without backpressure and closes. A reader that has paused keeps the rest, and
 * the stream closes when that reader has read it.
 *
 * @param taken returns how much all consumers together have read.
 * @param deliverRest delivers everything to the destinations of `pipe()`.
 */
export async function untilTaken(
  stream: Readable,
  taken: () => number,
  deliverRest: () => void = () => deliverUnread(stream),
): Promise<void> {
  const close = untilClosed(stream);
  if (await isStuck(close, taken, stuckMs)) {
    if (isHeld(stream)) return;
    deliverRest();
    // The stream itself is stuck if a subclass never called the callback of `_transform()`.
    if (await isStuck(close, taken, closesWithinMs)) stream.destroy();
  }
  await close;
}

/** Waits until the stream has closed. Resolves with true if its consumers read nothing for `ms` before. */
function isStuck(close: Promise<void>, taken: () => number, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    let before = taken();
    const settle = (stuck: boolean): void => {
      clearInterval(timer);
      resolve(stuck);
    };
    const timer = setInterval(() => {
      const now = taken();
      if (now === before) settle(true);
      before = now;
    }, ms);
    const onClose = (): void => settle(false);
    close.then(onClose, onClose);
  });
}

// Streams that Node has paused because they lost their last destination.
const unpiped = new WeakSet<Readable>();

/** For `unpipe()` of a stream that uses Node's pipes. */
export function noteUnpiped(stream: Readable, unpipe: () => unknown): void {
  const flowed = pipesOf(stream).length > 0;
  unpipe();
  if (flowed && pipesOf(stream).length === 0) unpiped.add(stream);
}

/** Whether the app itself, and not a destination of `pipe()`, decides when the stream is read. */
export function isHeld(stream: Readable): boolean {
  if (stream.listenerCount('readable') > 0) return true;
  if (stream.readableFlowing !== false || pipesOf(stream).length > 0) return false;
  return !unpiped.has(stream) || stream.listenerCount('data') > 0;
}

function pipesOf(stream: Readable): unknown[] {
  return (stream as unknown as { _readableState: { pipes: unknown[] } })._readableState.pipes;
}

// Node's pipe writes every chunk that it gets. A destination that is full only pauses the stream.
function deliverUnread(stream: Readable): void {
  stream.on('pause', () => stream.resume());
  stream.resume();
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
  const isUnread = stream.readableFlowing === null || unpiped.has(stream);
  if (isUnread && !isHeld(stream) && pipesOf(stream).length === 0) stream.resume();
}

/** Node's own error for a call on a closed stream. */
export function closed(what: string): Error {
  return Object.assign(new Error(`Cannot call ${what} after the stream was closed`), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
