// A machine that stands still, as a virtual one does while its host runs something else, breaks the sound of any
// program on a real audio server: PipeWire's graph leaves a quantum of 5.3 ms empty when it wakes later than that. A
// test that fails meanwhile has judged the machine, and is made again in a quiet moment; one that fails while
// nothing stood still has failed. A setup file (vitest.config.mts, which says how often): it holds for every test of
// a real system.
import { Worker } from 'node:worker_threads';

import { afterEach, beforeEach, type TestOptions } from 'vitest';

const quietForMs = 1000;
const waitForQuietMs = 20_000;

/** How often a thread that only waits was woken 5 ms late or later, and by how many ms at most. */
const late = new Int32Array(new SharedArrayBuffer(8));
// A thread of its own: tests block the event loop.
const watch = `
  const { workerData: late } = require('node:worker_threads');
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let before = performance.now(); ; ) {
    Atomics.wait(never, 0, 0, 2);
    const now = performance.now();
    const by = Math.floor(now - before - 2);
    before = now;
    if (by < 5) continue;
    Atomics.add(late, 0, 1);
    if (by > late[1]) late[1] = by;
  }`;
new Worker(watch, { eval: true, workerData: late }).unref();

async function quiet(): Promise<void> {
  const from = performance.now();
  for (let seen = -1; seen !== late[0] && performance.now() - from < waitForQuietMs;) {
    seen = late[0];
    await new Promise((resolve) => setTimeout(resolve, quietForMs));
  }
}

beforeEach(async ({ task }) => {
  const again = (task.result?.retryCount ?? 0) > 0;
  if (again) await quiet();
  late.fill(0);
  // vitest's own condition is an expression for the error's text: only a test may give a function.
  const retry: TestOptions['retry'] = {
    count: typeof task.retry === 'number' ? task.retry : (task.retry?.count ?? 0),
    condition: ({ message }) => {
      const [times, most] = late;
      if (times === 0) return false;
      console.log(
        `Again, as the machine stood still ${times} times, for ${most} ms at most: ${task.name}: ${message}`,
      );
      return true;
    },
  };
  Object.assign(task, { retry });
});

// Why a test took so long.
afterEach(({ task }) => {
  if (late[1] > 1000) console.log(`The machine stood still for ${late[1]} ms: ${task.name}`);
});
