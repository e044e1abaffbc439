// The resources of a process on Linux after a collection; it needs --expose-gc.
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';

export async function held() {
  // Twice, a turn apart: finalizers of the first run on the turn.
  for (let i = 0; i < 2; i++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return {
    rssMb: Number(rss?.[1]) / 1024,
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    files: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
  };
}
