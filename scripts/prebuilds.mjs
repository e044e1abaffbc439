// `npm run prebuilds`: builds the addon and puts it, without debugging symbols, where the package looks for it:
// prebuilds/<platform>-<arch>/patchcord.node.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const addon = join(folder, 'patchcord.node');

execFileSync(process.execPath, [join(root, 'scripts/build-native.mjs')], { stdio: 'inherit' });
mkdirSync(folder, { recursive: true });
copyFileSync(join(root, 'build/Release/patchcord.node'), addon);
// On Windows the symbols are in a separate file.
if (process.platform === 'linux') execFileSync('strip', ['--strip-all', addon]);
if (process.platform === 'darwin') execFileSync('strip', ['-Sx', addon]);
