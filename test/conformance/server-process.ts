// The private audio server of a conformance run, for tests that let it stand still.
import { readdirSync, readFileSync } from 'node:fs';

/** The programs that are the servers of the backends. */
export const standingServers: Record<string, string> = {
  pulse: 'pulseaudio',
  pipewire: 'pipewire',
};

/** The number of the private server's process of that name. */
export function serverProcess(program: string): number {
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== `${program}\n`) continue;
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (variables.includes(`XDG_RUNTIME_DIR=${process.env.XDG_RUNTIME_DIR}`)) return Number(pid);
    } catch {
      // It has ended.
    }
  }
  throw new Error(`no ${program}`);
}
