import type { BigIntStats } from 'node:fs';

// The files that this process reads and writes, so that it does not truncate a file that it reads, and does not write a
// file twice at once. It is a registered property, so that both builds of the package share it.
const registry: unique symbol = Symbol.for('patchcord.openFiles');

interface Use {
  readers: number;
  writers: number;
}

function uses(): Map<string, Use> {
  const holder = globalThis as { [registry]?: Map<string, Use> };
  const known: Map<string, Use> = holder[registry] ?? new Map<string, Use>();
  holder[registry] = known;
  return known;
}

/** A key that is the same for all names of a file. */
function keyOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

function claim(stats: BigIntStats, kind: keyof Use): () => void {
  // A terminal or /dev/null may be opened several times.
  if (!stats.isFile()) return () => {};
  const key = keyOf(stats);
  const use = uses().get(key) ?? { readers: 0, writers: 0 };
  uses().set(key, use);
  ++use[kind];
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    --use[kind];
    if (use.readers + use.writers === 0) uses().delete(key);
  };
}

/** @returns a function that releases the file. */
export function claimForReading(stats: BigIntStats): () => void {
  return claim(stats, 'readers');
}

/** @returns a function that releases the file, or what this process already does with the file. */
export function claimForWriting(stats: BigIntStats): (() => void) | 'reading' | 'writing' {
  const use = uses().get(keyOf(stats));
  if (use && use.writers > 0) return 'writing';
  if (use && use.readers > 0) return 'reading';
  return claim(stats, 'writers');
}
