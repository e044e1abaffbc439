/**
 * Emits events. If a listener throws, the exception becomes an uncaught exception of the process,
 * like an exception in a timer, and the caller continues. Change the state before you call this.
 *
 * @param emit calls `emit()`.
 */
export function callListeners(emit: () => unknown): void {
  try {
    emit();
  } catch (error) {
    throwLater(error);
  }
}

/** Throws the exception of a listener later, so that it does not pass through code of this package. */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
