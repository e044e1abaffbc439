import type { Readable } from 'node:stream';

const refusing = new WeakMap<Error, object>();

/**
 * Marks the error with which a destination rejects a stream. `pipe()` throws it, and both stay open. Node's
 * `pipeline()` does not expect this, and would leave its streams open although it rejects. So the stream is destroyed
 * with the error, and `pipeline()` then destroys its other streams.
 *
 * @returns the error.
 */
export function refusal<T extends Error>(source: Readable, destination: object, error: T): T {
  refusing.set(error, destination);
  if (isCalledByPipeline()) source.destroy(error);
  return error;
}

/** Whether this stream has rejected another stream with the error. In that case this stream continues. */
export function isRefusalOf(stream: object, error: Error | null | undefined): boolean {
  return error instanceof Error && refusing.get(error) === stream;
}

// pipe() has no other information about its caller.
function isCalledByPipeline(): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = Infinity;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return /\bpipe\W+\S*\bstreams\/pipeline\b/.test(stack);
}
