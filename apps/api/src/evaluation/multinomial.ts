/** Exact draws from a multinomial: what resampling rows does to their counts, without touching the rows. Pure. */
import type { Random } from '../random.ts';

/**
 * A function that fills `out` with a draw of sum(counts) rows, each falling into cell i with chance counts[i] / sum.
 */
export function multinomial(counts: readonly number[]): (random: Random, out: Uint32Array) => void {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const logFactorial = logFactorials(total);
  return (random, out) => {
    let rows = total;
    let weight = total;
    // Cell by cell: given the cells before it, each is binomial among what is left.
    for (const [i, count] of counts.entries()) {
      const drawn = weight === count ? rows : binomial(rows, count / weight, random, logFactorial);
      out[i] = drawn;
      rows -= drawn;
      weight -= count;
    }
  };
}

/** ln(k!) for k up to n. */
export function logFactorials(n: number): Float64Array {
  const table = new Float64Array(n + 1);
  for (let k = 2; k <= n; k++) table[k] = (table[k - 1] ?? 0) + Math.log(k);
  return table;
}

/** Successes in n trials of chance p. `logFactorial` reaches to n at least. */
export function binomial(n: number, p: number, random: Random, logFactorial: Float64Array): number {
  if (n === 0 || p <= 0) return 0;
  if (p > 0.5) return n - binomial(n, 1 - p, random, logFactorial);
  return n * p < 10 ? byInversion(n, p, random) : byRejection(n, p, random, logFactorial);
}

// Walks up the distribution function; a dozen steps where np < 10.
function byInversion(n: number, p: number, random: Random): number {
  const odds = p / (1 - p);
  let chance = (1 - p) ** n;
  let u = random.uniform();
  let k = 0;
  while (u > chance && k < n) {
    u -= chance;
    k++;
    chance *= ((n - k + 1) / k) * odds;
  }
  return k;
}

// BTRS: transformed rejection with squeeze. W. Hörmann, 1993, "The generation of binomial random variates". Letters
// as there.
function byRejection(n: number, p: number, random: Random, logFactorial: Float64Array): number {
  const spread = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = n * p + 0.5;
  const vr = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * spread;
  const lpq = Math.log(p / (1 - p));
  const m = Math.floor((n + 1) * p);
  const h = (logFactorial[m] ?? 0) + (logFactorial[n - m] ?? 0);
  for (;;) {
    const u = random.uniform() - 0.5;
    const v = random.uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || k > n) continue;
    const bound = h - (logFactorial[k] ?? 0) - (logFactorial[n - k] ?? 0) + (k - m) * lpq;
    if (Math.log((v * alpha) / (a / us ** 2 + b)) <= bound) return k;
  }
}
