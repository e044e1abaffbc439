import { WriteStream } from 'node:fs';
import type { Writable } from 'node:stream';

/** Marks a class of this package whose bytes go to a file: whether in portions of any size. */
export const writesFile: unique symbol = Symbol.for('patchcord.writesFile') as never;

/** A destination that keeps where in the stream that is piped in its own audio begins. */
export const startsAt: unique symbol = Symbol.for('patchcord.startsAt') as never;

export interface StartKeeper {
  /** @param time when that frame was heard; undefined where frames have no time. */
  [startsAt](frame: number, time: bigint | undefined): void;
}

/** How far a file may fall behind a live stream before frames are lost, unless `bufferMs` says. */
export const fileBufferMs = 30_000;

/** A file asks for few large portions: each costs a way through JavaScript and a call of the system. */
export const filePortionMs = 250;

/** Whether the bytes go to a file: what nobody waits for need not be dropped when it is late. */
export function isFile(destination: Writable): boolean {
  return writesFile in destination || destination instanceof WriteStream;
}

export function takesPortions(destination: Writable): boolean {
  return (destination as { [writesFile]?: 'chunks' | 'portions' })[writesFile] === 'portions';
}
