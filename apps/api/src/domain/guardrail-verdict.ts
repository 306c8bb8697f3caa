/** What a guardrail makes of the counts of both versions: an interval per metric, and a verdict. Pure. */
import { type Arm, dependentDifference, differenceInterval } from '../evaluation/sequential.ts';

/** Shares of bad outcomes: failed requests, slow requests, wrong predictions. */
export type GuardrailMetric = 'ERROR_RATE' | 'LATENCY' | 'QUALITY';
export type Verdict = 'PROMOTE' | 'ROLL_BACK' | 'CONTINUE';

/** What both versions did while the challenger's share was one and the same; `hits` are the bad outcomes. */
export interface Period {
  baseline: Arm;
  challenger: Arm;
}

/** What both versions did by one metric. */
export interface MetricCounts {
  metric: GuardrailMetric;
  /** How much worse the challenger may be. */
  margin: number;
  /** One per share that the challenger had. */
  periods: Period[];
}

/** What one metric says: numbers in its own direction, so QUALITY is the share of right predictions. */
export interface Evidence {
  metric: GuardrailMetric;
  margin: number;
  /** Of this metric's interval: alpha of the guardrail / number of metrics. */
  alpha: number;
  baseline: { n: number; value: number | null };
  challenger: { n: number; value: number | null };
  /** Challenger minus baseline, the mean over the shares that it had; null while either has no case. */
  difference: number | null;
  /** At all times: at one share at least the difference is `low` or more, and `high` or less. */
  low: number;
  high: number;
  finding: Finding;
}
/**
 * WORSE by more than the margin, BETTER at all, NOT_WORSE by more than the margin, or OPEN; of these the first that is
 * certain.
 */
export type Finding = 'WORSE' | 'BETTER' | 'NOT_WORSE' | 'OPEN';

/** How the counts are judged. */
export interface Judgement {
  /** Chance that any interval of any metric is ever wrong. */
  alpha: number;
  /** Below so many cases of either version a metric is OPEN. */
  minSamples: number;
  /** The challenger saw the same cases as the baseline: it is a shadow. */
  shadow: boolean;
}

/**
 * ROLL_BACK when any metric is WORSE. PROMOTE when all are BETTER or NOT_WORSE, or when QUALITY is BETTER and of the
 * others only those without a margin are OPEN: they can never be found equal. Else CONTINUE. Alpha is divided by the
 * number of metrics; an interval's two ends share its part, so all ends of all metrics hold together.
 */
export function judgeCounts(
  counts: readonly MetricCounts[],
  judgement: Judgement,
): { verdict: Verdict; evidence: Evidence[] } {
  const alpha = judgement.alpha / Math.max(1, counts.length);
  const evidence = counts.map((of) => evidenceOf(of, { ...judgement, alpha }));
  const fine = ({ finding }: Evidence) => finding === 'BETTER' || finding === 'NOT_WORSE';
  const better = evidence.some(({ metric, finding }) => metric === 'QUALITY' && finding === 'BETTER');
  const enough = ({ baseline, challenger }: Evidence) => Math.min(baseline.n, challenger.n) >= judgement.minSamples;
  if (evidence.some(({ finding }) => finding === 'WORSE')) return { verdict: 'ROLL_BACK', evidence };
  if (evidence.every((of) => fine(of) || (better && of.margin === 0 && enough(of))))
    return { verdict: evidence.length > 0 ? 'PROMOTE' : 'CONTINUE', evidence };
  return { verdict: 'CONTINUE', evidence };
}

function evidenceOf({ metric, margin, periods }: MetricCounts, { alpha, minSamples, shadow }: Judgement): Evidence {
  const right = metric === 'QUALITY';
  const rate = ({ n, hits }: Arm) => (right ? n - hits : hits) / n;
  const share = (arm: Arm) => ({ n: arm.n, value: arm.n === 0 ? null : rate(arm) });
  const [a, b] = [sum(periods.map((of) => of.baseline)), sum(periods.map((of) => of.challenger))];
  const harm = shadow
    ? dependentDifference({ a, b }, alpha)
    : differenceInterval(
        periods.map(({ baseline, challenger }) => ({ a: baseline, b: challenger })),
        alpha,
      );
  const both = periods.filter(({ baseline, challenger }) => baseline.n > 0 && challenger.n > 0);
  const { n } = sum(both.map((of) => of.challenger));
  const difference = both.reduce((mean, { baseline, challenger }) => {
    return mean + (challenger.n / n) * (rate(challenger) - rate(baseline));
  }, 0);
  return {
    metric,
    margin,
    alpha,
    baseline: share(a),
    challenger: share(b),
    difference: both.length === 0 ? null : difference,
    low: right ? -harm.high : harm.low,
    high: right ? -harm.low : harm.high,
    finding: Math.min(a.n, b.n) < minSamples ? 'OPEN' : findingOf(harm, margin),
  };
}

function sum(arms: readonly Arm[]): Arm {
  return arms.reduce((total, { n, hits }) => ({ n: total.n + n, hits: total.hits + hits }), { n: 0, hits: 0 });
}

function findingOf(harm: { low: number; high: number }, margin: number): Finding {
  if (harm.low > margin) return 'WORSE';
  if (harm.high < 0) return 'BETTER';
  return harm.high < margin ? 'NOT_WORSE' : 'OPEN';
}
