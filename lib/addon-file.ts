// The location of the native addon. The build makes a separate output file of this one, in ES2020, because
// `@vercel/nft` and webpack's asset relocator must be able to parse it. They evaluate the expression with `__dirname` in
// prebuiltAddon() to find the files to copy, so keep that expression in one piece.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The present system and processor as a folder name of `prebuilds/`, for example `linux-x64`. */
export const target = process.platform + '-' + process.arch;

/** The folder of this code: `dist` in the package, `lib` in a checkout, or the folder of a bundle or an executable. */
export function codeFolder(): string {
  // A program that Bun has compiled is in its executable, and `__dirname` is the place where it was compiled.
  const { main = '' } = (globalThis as { Bun?: { main?: string } }).Bun ?? {};
  if (/^(\/\$bunfs|\w:[/\\]~BUN)/.test(main)) return dirname(process.execPath);
  if (typeof __dirname === 'string') return __dirname;
  // webpack sets `url` to the path that the source had when it was bundled. Node 20.10 has no `dirname`.
  return import.meta.dirname ?? dirname(fileURLToPath(import.meta.url));
}

/** The path of the package's addon for this platform. */
export function prebuiltAddon(): string {
  try {
    return __dirname + '/../prebuilds/' + target + '/patchcord.node';
  } catch {
    // An ES module has no `__dirname`.
    return codeFolder() + '/../prebuilds/' + target + '/patchcord.node';
  }
}
