/** Seeded randomness: the same seed gives the same numbers on every machine. Not for secrets. */

/** A stream of uniform numbers: integers 0..n-1 (n up to 2^32), and fractions strictly between 0 and 1. */
export interface Random {
  below(n: number): number;
  uniform(): number;
}

/** sfc32 (Chris Doty-Humphrey's PractRand), seeded by all 53 bits of a safe integer. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = seed | 0;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 20; i++) next(); // similar seeds part ways after a dozen rounds
  return { below: (n) => Math.floor((next() / 2 ** 32) * n), uniform: () => (next() + 0.5) / 2 ** 32 };
}

/** Fisher-Yates, in place. */
export function shuffle(values: Uint32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const swap = values[i] ?? 0;
    values[i] = values[j] ?? 0;
    values[j] = swap;
  }
}
