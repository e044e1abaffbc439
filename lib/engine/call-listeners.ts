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

// Node emits these events in the middle of its work on a stream, and does not finish that work if a listener throws: then
// no further chunk comes, or `close` is never emitted. `pipe` is not among them, because a destination throws in its
// listener to refuse a stream.
const midway = new Set<string | symbol>([
  'data',
  'readable',
  'resume',
  'pause',
  'end',
  'drain',
  'finish',
  'unpipe',
  'error',
  'close',
]);

type Callback = (...args: unknown[]) => unknown;

/** Makes an exception in a listener or callback of the app an uncaught exception, which does not stop the stream. */
export function guardListeners(prototype: NodeJS.EventEmitter): void {
  override(prototype, 'emit', (emit) => {
    return function (this: NodeJS.EventEmitter, event, ...args) {
      // Node throws an error that has no listener. Its report then says where the error was emitted.
      const isThrown = event === 'error' && this.listenerCount('error') === 0;
      if (isThrown || !midway.has(event as string)) return emit.call(this, event, ...args);
      try {
        return emit.call(this, event, ...args);
      } catch (error) {
        throwLater(error);
        return true;
      }
    };
  });
  for (const name of ['write', 'end'].filter((one) => one in prototype)) {
    override(prototype, name, (method) => {
      return function (this: unknown, ...args) {
        return method.apply(this, args.map(guarded));
      };
    });
  }
}

function guarded(argument: unknown): unknown {
  if (typeof argument !== 'function') return argument;
  return (...args: unknown[]) => callListeners(() => (argument as Callback)(...args));
}

function override(prototype: object, name: string, make: (inherited: Callback) => Callback): void {
  const value = make((prototype as Record<string, Callback>)[name]);
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
}

/** Throws the exception of a listener later, so that it does not pass through code of this package. */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
