import { fromNative, type NativeError } from '../errors.js';

/** Throws the error record that a scripted event has returned. */
export function throwIfFailed(record: NativeError | null): void {
  if (record) throw fromNative(record, throwIfFailed);
}
