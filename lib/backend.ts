import { native, type NativeHost } from './native.js';
import { checkOneOf, invalidType, unsupported } from './validate.js';

/** The audio systems that this package knows. */
export type BackendName = 'wasapi' | 'pulse' | 'simulated';

export const backendNames: readonly BackendName[] = ['wasapi', 'pulse', 'simulated'];

/** A `SimulatedAudio` of `patchcord/testing`: a world of its own. */
export interface SimulatedBackend {
  /** @internal */
  readonly [worldHost]: NativeHost;
}

// Registered: a world made by one build of the package works with the other.
export const worldHost: unique symbol = Symbol.for('patchcord.worldHost') as never;

/** Where an object opens its device. */
export interface BackendOption {
  /**
   * The audio system; the platform's own unless `PATCHCORD_BACKEND` in the environment names another.
   * Never simulated unless asked for.
   */
  backend?: BackendName | SimulatedBackend | undefined;
}

/** Checked where the object is made, so that a wrong name is an error there. */
export function openBackend({ backend }: BackendOption): NativeHost {
  if (typeof backend === 'object' && backend !== null && worldHost in backend) {
    return backend[worldHost];
  }
  if (backend !== undefined && typeof backend !== 'string') {
    throw invalidType(
      'options.backend',
      'a backend name or an instance of SimulatedAudio',
      backend,
    );
  }
  if (process.env.PATCHCORD_SIMULATION) {
    throw unsupported(
      'PATCHCORD_SIMULATION',
      'this version simulates its standard devices only',
      'Unset it, or pass a SimulatedAudio as the backend option',
    );
  }
  const addon = native();
  const wanted = backend ?? (process.env.PATCHCORD_BACKEND || undefined);
  const name =
    wanted === undefined
      ? (addon.backends()[0] ?? 'none')
      : checkOneOf(
          wanted,
          backend === undefined ? 'PATCHCORD_BACKEND' : 'options.backend',
          backendNames,
        );
  return new addon.Host(name);
}
