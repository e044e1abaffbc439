import { expect } from 'vitest';

import {
  startPipeWire,
  startPlainPulseAudio,
  startPulseAudio,
  whyAbsent,
  type AudioServer,
} from '../servers.mjs';

/** The audio servers that are stopped while they are recorded. */
export const linuxServers = [
  { server: 'pulse', name: 'PulseAudio', startServer: startPulseAudio },
  { server: 'pulse', name: 'PulseAudio with plain null sinks', startServer: startPlainPulseAudio },
  { server: 'pipewire', name: 'PipeWire', startServer: startPipeWire },
] as const;

/** The audio servers on which devices are made. */
export const makingServers = [
  ['PulseAudio', 'pulse', startPulseAudio],
  ['PipeWire', 'pipewire', startPipeWire],
] as const;

/** Whether a server is absent. Says so; an error if nothing may be absent. `untried`: what was not tried then. */
export function isAbsent(name: 'pulse' | 'pipewire', untried: string): boolean {
  if (process.platform !== 'linux') return true;
  const absent = whyAbsent(name);
  if (absent) {
    expect(process.env.PATCHCORD_REQUIRE_ALL, absent).toBeFalsy();
    console.log(`absent: ${name} (${absent}): ${untried}`);
  }
  return Boolean(absent);
}

/**
 * Stops a server, then restores the environment that pointed at it. In this order: a connection that is made again must
 * not reach another server.
 */
export async function leaveServer(server: AudioServer, saved: NodeJS.ProcessEnv): Promise<void> {
  await server.stop();
  for (const key of Object.keys(server.env)) {
    if (saved[key] === undefined) delete process.env[key];
    else process.env[key] = saved[key];
  }
}
