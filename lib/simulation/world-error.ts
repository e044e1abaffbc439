import { fromNative, type NativeError } from '../errors.js';

/** Throws what a script of the simulated world answers with. */
export function throwIfFailed(record: NativeError | null): void {
  if (record) throw fromNative(record, throwIfFailed);
}
