import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// A real audio server needs the machine to run all the time, and is judged again where it did not.
const isReal = (process.env.PATCHCORD_TEST_BACKEND ?? 'simulated') !== 'simulated';

// Each project is a folder of test/. `npm test` runs them all, with the servers they need.
const project = (name: string, options: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
});

export default defineConfig({
  resolve: {
    alias: [
      { find: /^patchcord$/, replacement: here('lib/index.ts') },
      { find: /^patchcord\/testing$/, replacement: here('lib/testing.ts') },
    ],
  },
  test: {
    // A process for each file: the addon's threads and an audio server's state end with it.
    pool: 'forks',
    projects: [
      project('unit'),
      // One file at a time: they share an audio server, and time is part of what they measure.
      project('conformance', {
        fileParallelism: false,
        testTimeout: 60_000,
        hookTimeout: 30_000,
        ...(isReal && { setupFiles: ['test/conformance/stood-still.ts'], retry: 4 }),
      }),
      project('lifecycle', { fileParallelism: false, testTimeout: 120_000, hookTimeout: 30_000 }),
    ],
  },
});
