// Compiled against the installed package's declarations, as CommonJS and as ESM.
import { type AudioDevice, type AudioError, listDevices } from 'patchcord';
import { SimulatedAudio } from 'patchcord/testing';

export async function names(): Promise<string[]> {
  const devices: AudioDevice[] = await listDevices({ backend: new SimulatedAudio() });
  return devices.map((device) => device.name);
}

export const code = (error: AudioError): string => error.code;
