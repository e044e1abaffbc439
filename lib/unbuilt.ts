import { unsupported } from './validate.js';

// Functions of a later version. They exist, and fail when they are called.

/** Not implemented in this version. Rejects with `ERR_AUDIO_UNSUPPORTED`. */
export function getCapabilities(): Promise<never> {
  return Promise.reject(unsupported('getCapabilities()', 'this version does not implement it'));
}
