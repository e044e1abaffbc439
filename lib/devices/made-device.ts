import { AudioError, fromNative, type NativeError } from '../errors.js';
import type { NativeHost } from '../engine/native.js';
import { unsupported } from '../validate.js';

/** Whether the system can create microphones and outputs without a driver. */
export async function makesDevices(host: NativeHost): Promise<boolean> {
  return told(host.makesCables());
}

/** Awaits an answer of the engine. Converts its error records to errors. */
export async function told<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (record) {
    throw fromNative(record as NativeError);
  }
}

/** Removes a created device. If the server is gone, the device is gone too. */
export async function removeMade(host: NativeHost, outputId: string): Promise<void> {
  try {
    await told(host.removeMade(outputId));
  } catch (error) {
    if ((error as AudioError).code !== 'ERR_AUDIO_BACKEND_UNAVAILABLE') throw error;
  }
}

/** Environment variables for a child process. */
export type ChildEnvironment = Readonly<Record<string, string>>;

/** The variables with which a child process plays to an output, or records from an input; '' means no such device. */
export async function askEnvironment(
  host: NativeHost,
  outputId: string,
  inputId: string,
): Promise<ChildEnvironment> {
  return Object.freeze(await told(host.childEnvironment(outputId, inputId)));
}

/** Returns a copy of the variables for the app. @throws `ERR_AUDIO_UNSUPPORTED` if there are none, or not yet. */
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
