// The simulated Windows audio engine of the process that runs the tests, at hand for their commands.
import { listDevices } from 'patchcord';

import { steerMmdevapi, type SteeredProcess } from './mmdevapi-control.mjs';

export type { SteeredProcess };
export type Windows = Awaited<ReturnType<typeof steerMmdevapi>>;

export interface Steering {
  /** Closed after the tests. */
  windows: Windows;
  /** Steers this process alone. */
  here: SteeredProcess;
  /** Sends commands to this process. Devices and cables that they make last until `mend()`. */
  send(...commands: string[]): Promise<void>;
  /** Ends all faults and removes the devices and cables that `send()` made. */
  mend(): Promise<void>;
}

/** Called before the first audio object. */
export async function steerThisProcess(): Promise<Steering> {
  const windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  await listDevices({ backend: 'wasapi' }); // a process joins with its first audio object
  const here = await windows.process(process.pid);
  const made = new Set<string>();
  const send = async (...commands: string[]): Promise<void> => {
    for (const command of commands) {
      await here.send(command);
      const [, verb, id] = /^(device|cable|remove) ([\w-]+)/.exec(command) ?? [];
      if (verb === 'remove') made.delete(id);
      else if (id) made.add(id);
    }
  };
  const mend = async (): Promise<void> => {
    await send('mend', ...[...made].map((id) => `remove ${id}`));
    made.clear();
  };
  return { windows, here, send, mend };
}
