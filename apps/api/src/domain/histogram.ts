/** A mergeable histogram of durations: counts per logarithmic bin. Pure; knows no clock, no database. */

/** Width of a bin: each upper bound is 1.1 times the one before, so a bin's middle is at most 4.9 % off. */
const GROWTH = 1.1;
const LOG_GROWTH = Math.log(GROWTH);
/** The last bin ends at 1.1^199 us, 172 s; whatever is longer counts there. */
export const BINS = 200;
/** Largest relative error of a quantile of durations from 1 us to 172 s: sqrt(1.1) - 1. */
export const RELATIVE_ERROR = Math.sqrt(GROWTH) - 1;

/** Counts by bin, without the empty bins at the end. Merging adds them, so minutes add up to any window. */
export type Histogram = number[];

/** The bin of a duration: 0 holds [0, 1] us, bin i holds (1.1^(i-1), 1.1^i] us. */
export function binOf(microseconds: number): number {
  if (!(microseconds > 1)) return 0;
  return Math.min(BINS - 1, Math.ceil(Math.log(microseconds) / LOG_GROWTH));
}

/** The histogram of some durations in microseconds. */
export function histogramOf(durations: Iterable<number>): Histogram {
  const counts: Histogram = [];
  for (const duration of durations) {
    const bin = binOf(duration);
    while (counts.length <= bin) counts.push(0);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** The histogram of all durations of both: addition by bin, in any order and grouping. */
export function merge(a: Histogram, b: Histogram): Histogram {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, bin) => (a[bin] ?? 0) + (b[bin] ?? 0));
}

/** The q-quantile in microseconds (nearest rank: the least duration that q of all do not exceed); null of nothing. */
export function quantile(histogram: Histogram, q: number): number | null {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  for (const [bin, count] of histogram.entries()) {
    seen += count;
    if (seen >= rank) return bin === 0 ? 1 : GROWTH ** (bin - 0.5); // the middle of the bin on the logarithmic scale
  }
  return null;
}
