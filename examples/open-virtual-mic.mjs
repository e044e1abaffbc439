// What the examples that speak into a virtual microphone have in common: opening it, and saying what the
// other program must select.
import process from 'node:process';

import { AudioError, VirtualMicSink } from 'patchcord';

/** Ends the program, with what to do, where no virtual microphone is possible. */
export async function openVirtualMic(options) {
  const sink = new VirtualMicSink(options);
  sink.on('error', fail); // also later: a device that went
  sink.on('warning', ({ message }) => console.error(`Careful: ${message}`));
  // A signal ends a process before it can remove the microphone; process.exit() removes it.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  await sink.ready.catch(fail);
  console.log(`In the other program select the microphone "${sink.microphone.name}"`);
  return sink;
}

/** For errors that only the user can mend; others are bugs and keep their stack. */
export function fail(error) {
  console.error(error instanceof AudioError ? error.message : error);
  process.exit(1);
}
