/** The quick start's simulated data: two classes of 100 features, N(0, 0.1) and N(0, 0.2). Their means are equal. */

const FEATURES = 100;
const DEVIATION = { narrow: 0.1, wide: 0.2 };

/** A small seeded generator (mulberry32, public domain by Tommy Ettinger): the same numbers on every machine. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One row as numbers: Box-Muller over the generator. */
function row(random: () => number, deviation: number): number[] {
  return Array.from({ length: FEATURES }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return deviation * radius * Math.cos(2 * Math.PI * random());
  });
}

/** A row as the edge takes it: { x0: .., x99: .. }. */
export function instance(kind: keyof typeof DEVIATION, seed: number): Record<string, number> {
  return Object.fromEntries(row(uniform(seed), DEVIATION[kind]).map((value, i) => [`x${i}`, value]));
}

/** A CSV of `rows` rows, half of each class, with the columns x0..x99 and `class`. */
export function simulated(rows: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = uniform(seed);
  const lines = [`${Array.from({ length: FEATURES }, (_, i) => `x${i}`).join(',')},class`];
  for (let i = 0; i < rows; i++) {
    const label = i % 2 === 0 ? 'narrow' : 'wide';
    const cells = row(random, DEVIATION[label]).map((value) => value.toFixed(6));
    lines.push(`${cells.join(',')},${label}`);
  }
  return new Uint8Array(new TextEncoder().encode(`${lines.join('\n')}\n`));
}
