// Where the native addon is. The build makes an output file of this one alone, in ES2020: `@vercel/nft` and
// webpack's asset relocator have to parse it, and they follow the expression with `__dirname` in prebuiltAddon()
// to the files that they copy. Keep that in one piece.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This system and processor, as the folders in `prebuilds/` are named: `linux-x64`. */
export const target = process.platform + '-' + process.arch;

/** The folder of this code: `dist` of the package, `lib` of a checkout, or the folder of a bundle. */
export function codeFolder(): string {
  if (typeof __dirname === 'string') return __dirname;
  // webpack makes `url` the place that the source had when it was bundled. Node 20.10 has no `dirname`.
  return import.meta.dirname ?? dirname(fileURLToPath(import.meta.url));
}

/** The addon that was built for this platform, in the package. */
export function prebuiltAddon(): string {
  try {
    return __dirname + '/../prebuilds/' + target + '/patchcord.node';
  } catch {
    // An ES module has no `__dirname`.
    return codeFolder() + '/../prebuilds/' + target + '/patchcord.node';
  }
}
