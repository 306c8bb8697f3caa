/**
 * Looking for a digest in a list by the same steps wherever and whether it is there. Keys have 256 random bits and only
 * their sha256 is compared, so an early exit would tell next to nothing; this way it tells nothing at all.
 */

const WORDS = 8;

/** The 256 bits of a sha256 in hex, as eight words. */
export function digestWords(hex: string): Uint32Array {
  return Uint32Array.from({ length: WORDS }, (_, i) => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16));
}

/** Digests one after the other, eight words each. */
export function digestTable(hexes: readonly string[]): Uint32Array {
  const table = new Uint32Array(WORDS * hexes.length);
  hexes.forEach((hex, i) => {
    table.set(digestWords(hex), WORDS * i);
  });
  return table;
}

/** The place of a digest in a table, -1 when it is not there. Every word of the table is read, without a branch. */
export function findDigest(table: Uint32Array, digest: Uint32Array): number {
  let found = -1;
  for (let at = 0; at < table.length; at += WORDS) {
    let difference = 0;
    for (let i = 0; i < WORDS; i++) difference |= (table[at + i] ?? 0) ^ (digest[i] ?? 0);
    // All ones where they are equal, else zero.
    const equal = ((difference | -difference) >>> 31) - 1;
    found = (found & ~equal) | ((at / WORDS) & equal);
  }
  return found;
}
