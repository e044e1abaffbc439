import type { Readable } from 'node:stream';

const refusing = new WeakMap<Error, object>();

/**
 * Marks the error with which a destination refuses a stream: `pipe()` throws it, and both stay open. Node's
 * `pipeline()` does not expect that, and would leave its streams open although it rejects; so the stream is destroyed
 * with the error, and `pipeline()` then destroys its other streams.
 *
 * @returns the error.
 */
export function refusal<T extends Error>(source: Readable, destination: object, error: T): T {
  refusing.set(error, destination);
  if (isCalledByPipeline()) source.destroy(error);
  return error;
}

/** Whether the error is one with which this stream refused another: then it goes on. */
export function isRefusalOf(stream: object, error: Error | null | undefined): boolean {
  return error instanceof Error && refusing.get(error) === stream;
}

// Node tells pipe() nothing else about its caller.
function isCalledByPipeline(): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = Infinity;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return /\bpipe\W+\S*\bstreams\/pipeline\b/.test(stack);
}
