import type { Readable } from 'node:stream';

/**
 * For `setEncoding()` of a stream in object mode. Node joins the waiting chunks into one string, and then counts its
 * characters as chunks. Without this correction the stream would emit `undefined` for each of them and never end.
 */
export function countChunks(stream: Readable): void {
  const state = (stream as unknown as { _readableState: { buffer: unknown[]; length: number } })
    ._readableState;
  state.length = state.buffer.length;
}
