import type { Readable } from 'node:stream';

/**
 * For `setEncoding()` of a stream in object mode. Node joins the chunks that wait into one string, and then
 * takes its characters for chunks: the stream would emit `undefined` for each of them, and never end.
 */
export function countChunks(stream: Readable): void {
  const state = (stream as unknown as { _readableState: { buffer: unknown[]; length: number } })
    ._readableState;
  state.length = state.buffer.length;
}
