import type { Readable, Writable } from 'node:stream';

/**
 * Resolves when the stream has closed, also if it has already; rejects if it fails on the way. A
 * stream that failed earlier has said so with its `error` event and merely has to close.
 */
export function whenClosed(stream: Readable | Writable): Promise<void> {
  const failedBefore = stream.errored !== null;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      const failure: Error | null = stream.errored;
      if (failure && !failedBefore) reject(failure);
      else resolve();
    };
    if (stream.closed) settle();
    else stream.once('close', settle);
  });
}

/** Lets a readable that nobody reads come to its end, which Node emits only when all was read. */
export function discardUnread(stream: Readable): void {
  if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume();
}

/** Node's own error for what was asked of a stream that is over. */
export function closed(what: string): Error {
  return Object.assign(new Error(`Cannot call ${what} after a stream was destroyed`), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
