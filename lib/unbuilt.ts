import { unsupported } from './validate.js';

// What the interface promises for later versions: its names exist, and say so when they are used.

/** Not in this version: rejects with `ERR_AUDIO_UNSUPPORTED`. */
export function getCapabilities(): Promise<never> {
  return Promise.reject(unsupported('getCapabilities()', 'this version does not have it yet'));
}

/**
 * Not in this version.
 *
 * @throws `ERR_AUDIO_UNSUPPORTED`.
 */
export function captureMeeting(_options?: object): never {
  throw unsupported(
    'captureMeeting()',
    'this version does not have it yet',
    'Pipe a MicSource and a LoopbackSource into a Mixer',
  );
}
