import { WriteStream } from 'node:fs';
import type { Writable } from 'node:stream';

/** Marks a class of this package whose bytes go to a file. The value says whether portions may have any size. */
export const writesFile: unique symbol = Symbol.for('patchcord.writesFile') as never;

/** A method of a destination that receives the position of its first frame in the stream that is piped in. */
export const startsAt: unique symbol = Symbol.for('patchcord.startsAt') as never;

export interface StartKeeper {
  /** @param time when that frame was heard; undefined if frames have no time. */
  [startsAt](frame: number, time: bigint | undefined): void;
}

/** How far a file may fall behind a live stream before it loses frames. `bufferMs` overrides this. */
export const fileBufferMs = 30_000;

/**
 * The length of the portions for a file. They are large, because each portion costs time in JavaScript and a system
 * call.
 */
export const filePortionMs = 250;

/** Whether the bytes go to a file, which has no deadline. */
export function isFile(destination: Writable): boolean {
  return writesFile in destination || destination instanceof WriteStream;
}

export function takesPortions(destination: Writable): boolean {
  return (destination as { [writesFile]?: 'chunks' | 'portions' })[writesFile] === 'portions';
}
