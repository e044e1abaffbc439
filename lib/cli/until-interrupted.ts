import { once } from 'node:events';

import type { DeviceMonitor, ProcessMonitor } from '../index.js';

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
