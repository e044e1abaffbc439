import { startPipeWire, startPlainPulseAudio, startPulseAudio } from '../servers.mjs';

/** The audio servers that are stopped while they are recorded. */
export const linuxServers = [
  { server: 'pulse', name: 'PulseAudio', startServer: startPulseAudio },
  { server: 'pulse', name: 'PulseAudio with plain null sinks', startServer: startPlainPulseAudio },
  { server: 'pipewire', name: 'PipeWire', startServer: startPipeWire },
] as const;
