import type { BigIntStats } from 'node:fs';

// The files that this process reads and writes, so that it does not truncate a file that it reads, and does not write a
// file twice at once. It is a registered property, so that both builds of the package share it.
const registry: unique symbol = Symbol.for('patchcord.fileUses');

interface Use {
  readonly kind: 'reading' | 'writing';
  /** Whether the stream takes no more audio, and only completes and closes the file. */
  readonly isClosing: () => boolean;
  readonly released: Promise<void>;
}

function uses(): Map<string, Set<Use>> {
  const holder = globalThis as { [registry]?: Map<string, Set<Use>> };
  return (holder[registry] ??= new Map<string, Set<Use>>());
}

/** A key that is the same for all names of a file. */
function keyOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

function claim(stats: BigIntStats, kind: Use['kind'], isClosing: () => boolean): () => void {
  // A terminal or /dev/null may be opened several times.
  if (!stats.isFile()) return () => {};
  const key = keyOf(stats);
  let settle = (): void => {};
  const released = new Promise<void>((resolve) => (settle = resolve));
  const use: Use = { kind, isClosing, released };
  const users = uses().get(key) ?? new Set<Use>();
  uses().set(key, users.add(use));
  return () => {
    users.delete(use);
    if (users.size === 0 && uses().get(key) === users) uses().delete(key);
    settle();
  };
}

/** @returns a function that releases the file. */
export function claimForReading(stats: BigIntStats, isClosing: () => boolean): () => void {
  return claim(stats, 'reading', isClosing);
}

/**
 * Waits for streams that are closing the file.
 *
 * @returns a function that releases the file, or what this process already does with the file.
 */
export async function claimForWriting(
  stats: BigIntStats,
  isClosing: () => boolean,
): Promise<(() => void) | Use['kind']> {
  for (;;) {
    const users = [...(uses().get(keyOf(stats)) ?? [])];
    const staying = users.filter((use) => !use.isClosing()).map(({ kind }) => kind);
    if (staying.includes('writing')) return 'writing';
    if (staying.includes('reading')) return 'reading';
    if (users.length === 0) return claim(stats, 'writing', isClosing);
    await Promise.all(users.map(({ released }) => released));
  }
}
