// The simulated Windows audio engine of the process that runs the tests, at hand for their commands.
import { listDevices } from 'patchcord';

import { steerMmdevapi, type SteeredProcess } from './mmdevapi-control.mjs';

export type { SteeredProcess };
export type Windows = Awaited<ReturnType<typeof steerMmdevapi>>;

/** Before the first audio object. `here` steers this process alone; `windows` is closed after the tests. */
export async function steerThisProcess(): Promise<{ windows: Windows; here: SteeredProcess }> {
  const windows = await steerMmdevapi();
  Object.assign(process.env, windows.env);
  await listDevices({ backend: 'wasapi' }); // a process joins with its first audio object
  return { windows, here: await windows.process(process.pid) };
}
