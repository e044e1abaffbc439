// A machine that stands still, as a virtual one does while its host runs something else, breaks the sound of any
// program on a real audio server: PipeWire's graph leaves a quantum of 5.3 ms empty when it wakes later than that. A
// test that fails meanwhile has judged the machine, and is made again in a quiet moment; one that fails while
// nothing stood still has failed. A setup file (vitest.config.mts, which says how often): it holds for every test of
// a real system.
import { afterEach, beforeEach, type TestOptions } from 'vitest';

import { watchStalls } from '../stalls.mjs';

const quietForMs = 1000;
const waitForQuietMs = 20_000;

const stalls = watchStalls(5);

async function quiet(): Promise<void> {
  const from = performance.now();
  for (let seen = -1; seen !== stalls.times && performance.now() - from < waitForQuietMs;) {
    seen = stalls.times;
    await new Promise((resolve) => setTimeout(resolve, quietForMs));
  }
}

beforeEach(async ({ task }) => {
  const again = (task.result?.retryCount ?? 0) > 0;
  if (again) await quiet();
  stalls.reset();
  // vitest's own condition is an expression for the error's text: only a test may give a function.
  const retry: TestOptions['retry'] = {
    count: typeof task.retry === 'number' ? task.retry : (task.retry?.count ?? 0),
    condition: ({ message }) => {
      const { times, mostMs } = stalls;
      if (times === 0) return false;
      console.log(
        `Again, as the machine stood still ${times} times, for ${mostMs} ms at most: ${task.name}: ${message}`,
      );
      return true;
    },
  };
  Object.assign(task, { retry });
});

// Why a test took so long.
afterEach(({ task }) => {
  if (stalls.mostMs > 1000)
    console.log(`The machine stood still for ${stalls.mostMs} ms: ${task.name}`);
});
