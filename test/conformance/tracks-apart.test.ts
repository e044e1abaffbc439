// The part of `npm run campaign:day` that belongs to every run.
import { expect, it } from 'vitest';

import { runTracks } from '../tracks-apart.mjs';

it("two tracks on the host's clock are never 1 ms apart, whatever happens to their devices", async () => {
  const { worstMs, compared, faults } = await runTracks({ hours: 0.25, seed: 9 });
  expect(Object.keys(faults).sort()).toEqual(
    ['glitch', 'idle', 'jitter', 'late', 'stall', 'stamps', 'unplug'], // each of them
  );
  expect(compared).toBeGreaterThan(3000);
  expect(worstMs).toBeLessThanOrEqual(1);
});
