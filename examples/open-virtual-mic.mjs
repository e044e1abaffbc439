// Common code of the examples that play into a virtual microphone: it opens the microphone, and prints what the other
// program must select.
import process from 'node:process';

import { AudioError, VirtualMicSink } from 'patchcord';

/** Opens a virtual microphone. If none is possible, prints what to do and ends the program. */
export async function openVirtualMic(options) {
  const sink = new VirtualMicSink(options);
  sink.on('error', fail); // also for a device that is lost later
  sink.on('warning', ({ message }) => console.error(`Careful: ${message}`));
  // A signal ends a process before it can remove the microphone; process.exit() removes it.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  await sink.ready.catch(fail);
  console.log(`In the other program select the microphone "${sink.microphone.name}"`);
  return sink;
}

/** Prints errors that the user can correct. Other errors are bugs and keep their stack. */
export function fail(error) {
  console.error(error instanceof AudioError ? error.message : error);
  process.exit(1);
}
