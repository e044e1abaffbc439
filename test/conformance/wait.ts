// Waiting for what happens, with a bound; never for time alone.
import type { EventEmitter } from 'node:events';

/** Resolves when `condition` holds; fails with `what` after `ms`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms = 20_000,
): Promise<void> {
  const deadline = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (!(await condition())) {
    if (process.hrtime.bigint() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The next `name` event's first argument; fails after `ms`. An `error` is returned, not thrown. */
export function event<T>(emitter: EventEmitter, name: string, ms = 20_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`no '${name}' within ${ms} ms`)), ms);
    emitter.once(name, (argument: T) => {
      clearTimeout(limit);
      resolve(argument);
    });
  });
}

/** Keeps the event loop from running. */
export function block(ms: number): void {
  const end = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (process.hrtime.bigint() < end);
}
