import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { codeFolder, prebuiltAddon, target } from '../addon-file.js';
import {
  misnamed,
  needsGlibc,
  notFound,
  notOurs,
  runsOnMusl,
  tooOldRuntime,
  unloadable,
  unusableFile,
} from './load-failure.js';
import { requireFile } from './require-file.js';

/**
 * Finds the addon and loads it: the file that `PATCHCORD_ADDON` in the environment names, else the one that
 * a checkout has built, else the prebuilt one of the package, else a prebuilt one beside a bundle.
 *
 * @param functions the names of all that the addon exports.
 * @throws `ERR_AUDIO_NATIVE_LOAD_FAILED`; the message says why, and what to do about it.
 */
export function loadAddon(functions: readonly string[]): object {
  const tooOld = tooOldRuntime();
  if (tooOld) throw tooOld;

  const named = process.env.PATCHCORD_ADDON && resolve(process.env.PATCHCORD_ADDON);
  const folder = codeFolder();
  const built = join(folder, '../build/Release/patchcord.node');
  const besideBundle = join(folder, 'prebuilds', target, 'patchcord.node');
  const places = named ? [named] : [built, resolve(prebuiltAddon()), besideBundle];
  const file = places.find(exists);
  if (file === undefined) throw named ? misnamed(named) : notFound(places);
  // Not tried on musl, which may load an addon for glibc, and then crash in it.
  if (file !== named && file !== built && runsOnMusl()) throw needsGlibc();
  const unusable = unusableFile(file);
  if (unusable) throw unusable;

  let addon: Record<string, unknown> | undefined;
  try {
    addon = requireFile(file) as Record<string, unknown>;
  } catch (cause) {
    throw unloadable(file, cause as Error);
  }
  if (!functions.every((name) => typeof addon?.[name] === 'function')) throw notOurs(file);
  return addon;
}

// Under the permission model of Node 20, asking may throw.
function exists(file: string): boolean {
  try {
    return existsSync(file);
  } catch {
    return false;
  }
}
