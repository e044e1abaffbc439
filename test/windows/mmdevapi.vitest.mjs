import { defineConfig } from 'vitest/config';

import base from '../../vitest.config.mts';

// In the place of the projects: the tests of the session that mmdevapi.mjs makes.
export default defineConfig({
  resolve: base.resolve,
  test: {
    name: 'mmdevapi',
    include: [
      'test/windows/mmdevapi.test.ts',
      'test/windows/campaign.test.ts',
      'test/windows/mmdevapi-open.test.ts',
      'test/windows/mmdevapi-processes.test.ts',
      'test/windows/mmdevapi-examples.test.ts',
      'test/windows/sequences.test.ts',
      'test/windows/voicemeeter.test.ts',
      'test/windows/mmdevapi-life.test.ts',
      'test/windows/mmdevapi-bad-input.test.ts',
      'test/windows/mmdevapi-cable.test.ts',
      'test/windows/mmdevapi-drivers.test.ts',
      'test/windows/mmdevapi-trace.test.ts',
    ],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 30_000,
  },
});
