/** Numbers in [0, 1) that are the same for the same seed (a 32-bit xorshift with a multiplication). */
export function seededRandom(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (Math.imul(state, 1597334677) >>> 0) / 2 ** 32;
  };
}

/** `bytes` in random portions, among them empty ones and single bytes. */
export function randomPortions(bytes: Buffer, random: () => number): Buffer[] {
  const portions = [];
  for (let offset = 0; offset < bytes.length;) {
    const size = Math.floor(random() < 0.5 ? random() * 12 : random() * 4000);
    portions.push(bytes.subarray(offset, (offset += size)));
  }
  return portions;
}
