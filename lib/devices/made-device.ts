import { AudioError, fromNative, type NativeError } from '../errors.js';
import type { NativeHost } from '../engine/native.js';
import { unsupported } from '../validate.js';

/** Whether the system makes microphones and outputs without a driver. */
export async function makesDevices(host: NativeHost): Promise<boolean> {
  return told(host.makesCables());
}

/** What the engine answers; its error records become errors. */
export async function told<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (record) {
    throw fromNative(record as NativeError);
  }
}

/** Removes what was made. If the server has gone, it has taken the device along. */
export async function removeMade(host: NativeHost, outputId: string): Promise<void> {
  try {
    await told(host.removeMade(outputId));
  } catch (error) {
    if ((error as AudioError).code !== 'ERR_AUDIO_BACKEND_UNAVAILABLE') throw error;
  }
}

/** Variables for a child process. */
export type ChildEnvironment = Readonly<Record<string, string>>;

/** The variables with which a child plays to an output, or records from an input; '' for neither. */
export async function askEnvironment(
  host: NativeHost,
  outputId: string,
  inputId: string,
): Promise<ChildEnvironment> {
  return Object.freeze(await told(host.childEnvironment(outputId, inputId)));
}

/** The variables for the app: a copy. @throws `ERR_AUDIO_UNSUPPORTED` where there are none, or not yet. */
export function environmentFor(
  known: ChildEnvironment | undefined,
  owner: string,
): Record<string, string> {
  if (!known) {
    throw unsupported('environment() before the stream is ready', 'its device is not known yet');
  }
  if (Object.keys(known).length > 0) return { ...known };
  throw new AudioError(
    'ERR_AUDIO_UNSUPPORTED',
    `${owner}.environment() is not available: this system has no variables that choose a device for a program`,
    { remedy: 'Select the device in the settings of the other program, or in those of the system' },
  );
}
