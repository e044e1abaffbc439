// How often the machine itself stood still: never on a real machine with idle processors, on a virtual one whenever its
// host runs something else. A program that feeds a sound card is late then.
import { Worker } from 'node:worker_threads';

const watch = `
  const { workerData } = require('node:worker_threads');
  const { seen, lateMs } = workerData;
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let before = performance.now(); ; ) {
    Atomics.wait(never, 0, 0, 2);
    const now = performance.now();
    const by = Math.floor(now - before - 2);
    before = now;
    if (by < lateMs) continue;
    Atomics.add(seen, 0, 1);
    if (by > seen[1]) seen[1] = by;
  }`;

/**
 * Watches as long as the process lives, in a thread that only waits: an event loop may be blocked.
 * @param {number} lateMs How late it must be woken to count.
 * @returns {{ times: number, mostMs: number, reset(): void }} Since the last `reset()`.
 */
export function watchStalls(lateMs) {
  const seen = new Int32Array(new SharedArrayBuffer(8));
  new Worker(watch, { eval: true, workerData: { seen, lateMs } }).unref();
  return {
    get times() {
      return seen[0];
    },
    get mostMs() {
      return seen[1];
    },
    reset: () => void seen.fill(0),
  };
}
