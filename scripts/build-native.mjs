// `npm run build:native`: compiles binding.gyp into build/Release/patchcord.node. Files that are up to date are not
// compiled again. Needs Python 3, make and a C++17 compiler (on Windows: Visual Studio's).
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { nodeHeaders } from './node-headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

// `configure` runs each time, because it lists the source folders again. make then compares dates.
const args = [nodeGyp, 'configure', 'build', '--release', '--loglevel=warn', '--jobs=max'];
const headers = nodeHeaders();
if (headers) args.push(`--nodedir=${headers}`);

const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
if (status !== 0) {
  console.error(
    '\nThe native build failed. It needs python3, make and g++ (Debian: apt-get install python3 make g++).',
  );
  process.exit(1);
}
