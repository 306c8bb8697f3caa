/**
 * Always-valid inference for two proportions: intervals that hold at every moment at once, so that whoever looks after
 * each observation and stops when they like is wrong with a probability of at most alpha. Exact for independent
 * observations of any sample sizes, with no normal approximation: rates of one in a million are no special case. Pure.
 *
 * The tool is a nonnegative martingale. Of n independent trials with k hits, the likelihood averaged over all rates
 * (Jeffreys' prior: R. Krichevsky, V. Trofimov, 1981, IEEE Trans. Inf. Theory 27:199) over the likelihood of the true
 * rate is one (H. Robbins, 1970, Ann. Math. Stat. 41:1397); by Ville's inequality (1939) it ever reaches 1/alpha with a
 * probability of at most alpha. The rates that have not been refuted so are a confidence sequence: S. Howard,
 * A. Ramdas, J. McAuliffe, J. Sekhon, 2021, Ann. Stat. 49:1055. For the difference of two arms the martingales are
 * multiplied, and a difference is refuted when each pair of rates with that difference is: L. Wasserman, A. Ramdas,
 * S. Balakrishnan, 2020, PNAS 117:16880; R. Turner, A. Ly, P. Gruenwald, 2024, J. Stat. Plan. Inference 230:106116.
 */

/** What one arm has seen: `hits` of `n` trials. */
export interface Arm {
  n: number;
  hits: number;
}

/** An interval for an unknown number. */
export interface Interval {
  low: number;
  high: number;
}

/** Halvings of a search: beyond them doubles have no more digits. */
const HALVINGS = 60;

/**
 * Natural logarithm of the evidence against "rate of b - rate of a = difference": an e-value, at any time, for arms
 * that are independent of each other. At least log(1 / alpha) refutes it at level alpha. Infinity where it is
 * impossible.
 */
export function logEvidence(a: Arm, b: Arm, difference: number): number {
  return logMixture(a) + logMixture(b) - largestLogLikelihood(a, b, difference);
}

/** The rates that are not refuted at level alpha, by one arm alone. */
export function rateInterval(arm: Arm, alpha: number): Interval {
  const { n, hits } = arm;
  if (n === 0) return { low: 0, high: 1 };
  const refuted = (rate: number) => logMixture(arm) - logLikelihood(arm, rate) >= -Math.log(alpha);
  return { low: lastKept(hits / n, 0, refuted), high: lastKept(hits / n, 1, refuted) };
}

/** Two arms that were drawn in constant proportions, so that whatever changes with time is in both alike. */
export interface Stratum {
  a: Arm;
  b: Arm;
}

/**
 * The differences (rate of b - rate of a) that are not refuted at level alpha, at all times together. Of several strata
 * the evidence is multiplied, each with a difference of its own: the largest of them is at least `low`, the smallest at
 * most `high`.
 */
export function differenceInterval(strata: readonly Stratum[], alpha: number): Interval {
  const seen = strata
    .filter(({ a, b }) => a.n > 0 && b.n > 0)
    .map(({ a, b }) => ({ a, b, estimate: b.hits / b.n - a.hits / a.n }));
  if (seen.length === 0) return { low: -1, high: 1 };
  // Where a stratum's own estimate is beyond the limit, its best explanation is that estimate.
  const refuted = (limit: number, nearest: (x: number, y: number) => number) =>
    seen.reduce((sum, { a, b, estimate }) => sum + logEvidence(a, b, nearest(limit, estimate)), 0) >= -Math.log(alpha);
  const estimates = seen.map(({ estimate }) => estimate);
  return {
    low: lastKept(Math.max(...estimates), -1, (limit) => refuted(limit, Math.min)),
    high: lastKept(Math.min(...estimates), 1, (limit) => refuted(limit, Math.max)),
  };
}

/**
 * As differenceInterval, for arms that may have seen the same cases, as a shadow and what it shadows: each has an
 * interval of its own at alpha / 2, which holds whatever they have in common, and the result is wider.
 */
export function dependentDifference({ a, b }: Stratum, alpha: number): Interval {
  const [of, to] = [rateInterval(a, alpha / 2), rateInterval(b, alpha / 2)];
  return { low: to.low - of.high, high: to.high - of.low };
}

/** Evidence grows from the estimate to the limit, so the place where it refutes is found by halving. */
function lastKept(estimate: number, limit: number, refuted: (value: number) => boolean): number {
  if (!refuted(limit)) return limit;
  let inside = estimate;
  let outside = limit;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (inside + outside) / 2;
    if (refuted(middle)) outside = middle;
    else inside = middle;
  }
  return outside;
}

/** Logarithm of the likelihood of the arm's sequence, averaged over rates by Jeffreys' prior Beta(1/2, 1/2). */
function logMixture({ n, hits }: Arm): number {
  return logGamma(hits + 0.5) + logGamma(n - hits + 0.5) - logGamma(n + 1) - Math.log(Math.PI);
}

function logLikelihood({ n, hits }: Arm, rate: number): number {
  return timesLog(hits, rate) + timesLog(n - hits, 1 - rate);
}

/** count * log(x), where 0 trials say nothing even of the impossible. */
function timesLog(count: number, x: number): number {
  return count === 0 ? 0 : count * Math.log(Math.max(0, x));
}

/** Over all pairs of rates with that difference; the logarithm is concave in the rate, so its slope is halved to 0. */
function largestLogLikelihood(a: Arm, b: Arm, difference: number): number {
  const at = (rate: number) => logLikelihood(a, rate) + logLikelihood(b, rate + difference);
  if (difference === 0) return at((a.hits + b.hits) / Math.max(1, a.n + b.n));
  let low = Math.max(0, -difference);
  let high = Math.min(1, 1 - difference);
  for (let i = 0; i < HALVINGS; i++) {
    const rate = (low + high) / 2;
    if (slope(a, rate) + slope(b, rate + difference) > 0) low = rate;
    else high = rate;
  }
  return Math.max(at(low), at(high));
}

function slope({ n, hits }: Arm, rate: number): number {
  return (hits === 0 ? 0 : hits / rate) - (hits === n ? 0 : (n - hits) / (1 - rate));
}

/** C. Lanczos, 1964, SIAM J. Numer. Anal. 1:86, g = 7, 9 terms: about 15 digits for x >= 1/2. */
const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  const z = x - 1;
  let series = 0.9999999999998099;
  for (let i = 0; i < LANCZOS.length; i++) series += (LANCZOS[i] ?? 0) / (z + i + 1);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(series);
}
