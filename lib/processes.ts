import { unsupported } from './validate.js';

const reason = 'this version captures devices, not programs';
const remedy = 'Use a LoopbackSource for everything that the system plays';

/** A program that makes sound. Not in this version. */
export interface AudioProcess {
  pid: number;
  rootPid: number;
  name: string;
}

/** What one program plays. Not in this version. */
export class ProcessSource {
  /** @throws `ERR_AUDIO_UNSUPPORTED`. */
  constructor(_options?: object) {
    throw unsupported('ProcessSource', reason, remedy);
  }
}

/** Watches which programs make sound. Not in this version. */
export class ProcessMonitor {
  /** @throws `ERR_AUDIO_UNSUPPORTED`. */
  constructor(_options?: object) {
    throw unsupported('ProcessMonitor', reason, remedy);
  }
}

/** The programs that make sound. Not in this version: rejects with `ERR_AUDIO_UNSUPPORTED`. */
export function listAudioProcesses(): Promise<AudioProcess[]> {
  return Promise.reject(unsupported('listAudioProcesses()', reason, remedy));
}
