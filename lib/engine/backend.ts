import { resolve } from 'node:path';

import { AudioError } from '../errors.js';
import { native, type NativeHost } from './native.js';
import { requireFile } from './require-file.js';
import { checkOneOf, invalidType } from '../validate.js';

export const backendNames = ['wasapi', 'pulse', 'simulated'] as const;

/** The audio systems that this package knows. */
export type BackendName = (typeof backendNames)[number];

/** A `SimulatedAudio` of `patchcord/testing`. */
export interface SimulatedBackend {
  /** For internal use by the streams of this package. */
  readonly [worldHost]: object;
}

// A registered symbol, so that a SimulatedAudio of one build of the package works with the other.
export const worldHost: unique symbol = Symbol.for('patchcord.worldHost') as never;

/** The option that selects the audio system. */
export interface BackendOption {
  /**
   * The audio system. Pass a `SimulatedAudio` of `patchcord/testing` for tests. `'simulated'` is a standard one, or, if
   * the environment variable `PATCHCORD_SIMULATION` is the path of a module, the `SimulatedAudio` that this module
   * exports as default.
   *
   * @default the environment variable `PATCHCORD_BACKEND`, or else the first of the platform's backends that can be
   *   reached
   */
  backend?: BackendName | SimulatedBackend | undefined;
}

/** Called when an object is constructed, so that a wrong name fails there. */
export function openBackend(option: BackendOption): NativeHost {
  const { backend } = option;
  if (isSimulated(backend)) return backend[worldHost] as NativeHost;
  const name = namedBackend(option);
  const addon = native();
  const { PATCHCORD_SIMULATION } = process.env;
  if (name === 'simulated' && PATCHCORD_SIMULATION) return scriptedWorld(PATCHCORD_SIMULATION);
  // Without a name the engine tries the platform's backends in order.
  return new addon.Host(name ?? '');
}

/**
 * The backend that the option or the environment names; undefined if neither does.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
 */
export function namedBackend({ backend }: BackendOption): BackendName | undefined {
  if (isSimulated(backend)) return 'simulated';
  if (backend !== undefined && typeof backend !== 'string') {
    throw invalidType(
      'options.backend',
      'a backend name or an instance of SimulatedAudio',
      backend,
    );
  }
  if (backend !== undefined) return checkOneOf(backend, 'options.backend', backendNames);
  const { PATCHCORD_BACKEND, PATCHCORD_SIMULATION } = process.env;
  if (!PATCHCORD_BACKEND) return PATCHCORD_SIMULATION ? 'simulated' : undefined;
  return checkOneOf(PATCHCORD_BACKEND as BackendName, 'PATCHCORD_BACKEND', backendNames);
}

function isSimulated(backend: unknown): backend is SimulatedBackend {
  return typeof backend === 'object' && backend !== null && worldHost in backend;
}

// Streams are constructed synchronously, so the first one loads the module synchronously. Later ones get it from the
// cache.
function scriptedWorld(path: string): NativeHost {
  const failed = (reason: string, cause?: unknown): AudioError =>
    new AudioError('ERR_AUDIO_BACKEND_UNAVAILABLE', `PATCHCORD_SIMULATION=${path} ${reason}`, {
      remedy:
        'Name a module whose default export is a SimulatedAudio. An ES module needs Node.js 20.19 or later and no await at its top level',
      cause,
    });
  const file = resolve(path);
  let exported: unknown;
  try {
    exported = requireFile(file);
  } catch (error) {
    throw failed(`could not be loaded: ${(error as Error).message}`, error);
  }
  const world = (exported as { default?: unknown } | undefined)?.default ?? exported;
  if (!isSimulated(world)) throw failed('exports no SimulatedAudio');
  return world[worldHost] as NativeHost;
}
