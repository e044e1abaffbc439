/**
 * Emits events. If a listener throws, the exception becomes an uncaught exception of the process,
 * as one in a timer does, and the caller goes on. Emit last, when the state is what the event says.
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

/** Throws what a listener threw where no code of ours is in the way. */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
