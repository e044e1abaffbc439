// `npm publish` runs this first: a package without the addon of a supported platform is not published.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// The one list of supported platforms.
const source = readFileSync(join(root, 'lib/engine/load-failure.ts'), 'utf8');
const [, list] = /const platforms[^{]*\{\n([\s\S]*?)\n\};/.exec(source);
const platforms = [...list.matchAll(/^\s*'([a-z0-9]+-[a-z0-9]+)':/gm)].map(([, name]) => name);
if (platforms.length === 0) throw new Error('lib/engine/load-failure.ts lists no platforms');

const missing = platforms
  .map((platform) => `prebuilds/${platform}/patchcord.node`)
  .filter((file) => !existsSync(join(root, file)));
for (const file of missing) console.log(`not ok - ${file} is missing`);
if (missing.length === 0) console.log(`ok - the addon is there for ${platforms.join(', ')}`);
process.exitCode = missing.length === 0 ? 0 : 1;
