// The addon itself, for scenes that call it without the library: the one that PATCHCORD_ADDON names, the one that
// was built here, or, in Wine, which does not see build/, the prebuilt one.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const inCheckout = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const built = inCheckout('build/Release/patchcord.node');
const prebuilt = inCheckout(`prebuilds/${process.platform}-${process.arch}/patchcord.node`);
const file = process.env.PATCHCORD_ADDON ?? (existsSync(built) ? built : prebuilt);

export const addon = createRequire(import.meta.url)(file);
