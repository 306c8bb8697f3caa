/** A number with its 95% interval: Wilson for proportions, seeded bootstrap for the rest. Pure. */
import { type Random, seededRandom } from '../random.ts';

/** A metric's value, its 95% interval and how many cases it rests on; null = undefined (0/0). */
export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

/** An estimate of which nothing is known. */
export function undefinedEstimate(n: number): Estimate {
  return { value: null, low: null, high: null, n };
}

/** The 97.5% quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * k of n with Wilson's score interval (E. B. Wilson, 1927, JASA 22:209), which stays inside [0, 1] and off a point at
 * 0 and n.
 */
export function proportion(k: number, n: number): Estimate {
  if (n === 0) return undefinedEstimate(0);
  const p = k / n;
  const shrink = 1 + Z ** 2 / n;
  const centre = (p + Z ** 2 / (2 * n)) / shrink;
  const half = (Z / shrink) * Math.sqrt((p * (1 - p)) / n + Z ** 2 / (4 * n ** 2));
  // At 0 and n the formula gives the bound 0 or 1 up to rounding; say it exactly.
  return { value: p, low: k === 0 ? 0 : centre - half, high: k === n ? 1 : centre + half, n };
}

/** Draws of a bootstrap. */
export const RESAMPLES = 1000;

/**
 * Draws where each costs a visit of every row: fewer beyond 50,000 rows, where intervals are narrow and time is not
 * free.
 */
export function rowResamples(n: number): number {
  return Math.max(RESAMPLES / 5, Math.min(RESAMPLES, Math.floor((RESAMPLES * 50_000) / Math.max(1, n))));
}

/**
 * The seeded percentile bootstrap (B. Efron, 1979). `draw` fills one resample by its random numbers and returns the
 * statistics in the order of `values`; null where a resample leaves one undefined. Same input, same intervals.
 */
export function bootstrap(
  values: readonly (number | null)[],
  n: number,
  resamples: number,
  draw: (random: Random) => ArrayLike<number | null>,
): Estimate[] {
  if (n === 0) return values.map(() => undefinedEstimate(0));
  const random = seededRandom(0);
  const drawn = values.map(() => new Float64Array(resamples));
  for (let i = 0; i < resamples; i++) {
    const statistics = draw(random);
    for (const [k, column] of drawn.entries()) column[i] = statistics[k] ?? Number.NaN;
  }
  return values.map((value, k) => percentileInterval(value, drawn[k] ?? new Float64Array(0), n));
}

// Undefined in most resamples: too few cases for an interval. The value itself is always inside.
function percentileInterval(value: number | null, drawn: Float64Array, n: number): Estimate {
  const defined = drawn.filter((x) => !Number.isNaN(x)).sort();
  if (value === null || defined.length < drawn.length / 2) return { ...undefinedEstimate(n), value };
  return { value, low: Math.min(value, quantile(defined, 0.025)), high: Math.max(value, quantile(defined, 0.975)), n };
}

// Linear interpolation between order statistics, as NumPy's default.
function quantile(sorted: Float64Array, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
