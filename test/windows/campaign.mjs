// `npm run campaign:windows [-- --node 20|22|24] [--faults SEED:COUNT|#NUMBER,...]`: the whole fault campaign of campaign.test.ts,
// or so many of its faults, as the seed chooses them, or those of these numbers. Ends with `N passed, N failed`; a crash or a hang fails.
import process from 'node:process';
import { parseArgs } from 'node:util';

import { whyNoCrossCompiler } from '../../scripts/cross-windows.mjs';
import { buildForWindows, runMmdevapi } from './mmdevapi.mjs';
import { whyNoWine } from './prepare.mjs';

const { values } = parseArgs({
  options: { node: { type: 'string' }, faults: { type: 'string', default: 'all' } },
});
const reason = whyNoWine() ?? whyNoCrossCompiler();
if (reason) console.log(`absent: Wine (${reason}): no fault was tried`);
else buildForWindows();
const { passed, failed } = reason
  ? { passed: 0, failed: 0 }
  : await runMmdevapi({
      node: values.node,
      files: ['test/windows/campaign.test.ts'],
      env: { PATCHCORD_CAMPAIGN: values.faults },
      limitMs: 60 * 60_000,
    });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
