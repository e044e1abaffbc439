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
 * Finds and loads the addon: the file that the environment variable `PATCHCORD_ADDON` names, or the one that a checkout
 * has built, or the prebuilt one of the package, or a prebuilt one beside a bundle.
 *
 * @param functions the names of all exports of the addon.
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
  // Not tried on musl, because it may load an addon for glibc and then crash in it.
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

// With the permission model of Node 20 this check may throw.
function exists(file: string): boolean {
  try {
    return existsSync(file);
  } catch {
    return false;
  }
}
