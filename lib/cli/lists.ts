import { once } from 'node:events';

import type { DeviceMonitor, ProcessMonitor } from '../index.js';
import type { CommandOptions, Invocation } from './command.js';

/** The options of commands that list something. */
export const listOptions: CommandOptions = {
  json: { type: 'boolean', help: 'prints JSON' },
  watch: { type: 'boolean', help: 'continues, and reports changes until Ctrl-C' },
};

/** Prints a list as text or as JSON. Returns the exit code. */
export function printList<T>(
  { values }: Invocation,
  all: readonly T[],
  describe: (all: readonly T[]) => string,
): number {
  process.stdout.write(values.json === true ? `${JSON.stringify(all, null, 2)}\n` : describe(all));
  return 0;
}

/** Prints a change of a list as a line of text or of JSON. */
export function printChange({ values }: Invocation, change: object, line: string): void {
  process.stdout.write(`${values.json === true ? JSON.stringify(change) : line}\n`);
}

/** Keeps the process alive with a monitor until it is interrupted. Resolves with the exit code. */
export async function untilInterrupted(monitor: DeviceMonitor | ProcessMonitor): Promise<number> {
  // A monitor does not keep the process alive.
  const timer = setInterval(() => {}, 1 << 30);
  try {
    await (monitor as DeviceMonitor).ready;
    // An error of the monitor says that the system cannot be reached at present.
    (monitor as DeviceMonitor).on('error', ({ message }) => process.stderr.write(`${message}\n`));
    await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
  } finally {
    clearInterval(timer);
    monitor.close();
  }
  return 0;
}
