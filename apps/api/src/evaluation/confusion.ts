/** The confusion matrix and what is counted from it: precision, recall and F1 with every averaging. Pure. */
import type { Random } from '../random.ts';
import { bootstrap, type Estimate, proportion, RESAMPLES } from './estimate.ts';
import { multinomial } from './multinomial.ts';

/** Rows are the truth, columns the prediction, both in the order of `labels`. */
export interface ConfusionMatrix {
  labels: string[];
  counts: number[][];
}

/** One averaging of the three. */
export interface Averaged {
  precision: Estimate;
  recall: Estimate;
  f1: Estimate;
}

/** One class against the rest; `support` is the number of rows that truly are of it. */
export interface ClassMetrics extends Averaged {
  label: string;
  support: number;
}

export interface ConfusionMetrics {
  accuracy: Estimate;
  /** BINARY is null unless there are two classes. */
  averages: { BINARY: Averaged | null; MACRO: Averaged; MICRO: Averaged; WEIGHTED: Averaged };
  perClass: ClassMetrics[];
}

/** Counts pairs of class indices. */
export function confusionMatrix(
  labels: readonly string[],
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
): ConfusionMatrix {
  const counts = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < truth.length; i++) {
    const row = counts[truth[i] ?? 0];
    const column = predicted[i] ?? 0;
    if (row) row[column] = (row[column] ?? 0) + 1;
  }
  return { labels: [...labels], counts };
}

/** The margins that every metric below is made of, per class. */
interface Margins {
  n: number;
  hits: Float64Array;
  support: Float64Array;
  predicted: Float64Array;
}

function marginsOf(size: number, cells: readonly Cell[], counts: ArrayLike<number>): Margins {
  const margins = {
    n: 0,
    hits: new Float64Array(size),
    support: new Float64Array(size),
    predicted: new Float64Array(size),
  };
  const { hits, support, predicted } = margins;
  for (let i = 0; i < cells.length; i++) {
    const { truth, label } = cells[i] ?? { truth: 0, label: 0 };
    const count = counts[i] ?? 0;
    margins.n += count;
    support[truth] = (support[truth] ?? 0) + count;
    predicted[label] = (predicted[label] ?? 0) + count;
    if (truth === label) hits[truth] = (hits[truth] ?? 0) + count;
  }
  return margins;
}

const ratio = (a: number, b: number) => (b === 0 ? null : a / b);

// Per class: P = TP/(TP+FP), R = TP/(TP+FN), F1 = 2TP/(2TP+FP+FN); 0/0 is null.
function perClassValues(m: Margins, c: number) {
  const [hits = 0, support = 0, predicted = 0] = [m.hits[c], m.support[c], m.predicted[c]];
  return {
    precision: ratio(hits, predicted),
    recall: ratio(hits, support),
    f1: ratio(2 * hits, support + predicted),
    support,
  };
}

/**
 * Mean over the classes where the metric is defined (scikit-learn's zero_division=np.nan); null where it is for none.
 */
function mean(values: readonly (number | null)[], weights: readonly number[] | null): number | null {
  let [sum, total] = [0, 0];
  for (const [i, value] of values.entries()) {
    const weight = weights === null ? 1 : (weights[i] ?? 0);
    if (value === null) continue;
    sum += value * weight;
    total += weight;
  }
  return ratio(sum, total);
}

const METRICS = ['precision', 'recall', 'f1'] as const;

/** Everything without a Wilson interval: macro and weighted averages of the three, then F1 of each class. */
function bootstrapped(m: Margins): (number | null)[] {
  const perClass = Array.from(m.support.keys(), (c) => perClassValues(m, c));
  const weights = perClass.map((c) => c.support);
  const macro = METRICS.map((metric) =>
    mean(
      perClass.map((c) => c[metric]),
      null,
    ),
  );
  const weighted = METRICS.map((metric) =>
    mean(
      perClass.map((c) => c[metric]),
      weights,
    ),
  );
  return [...macro, ...weighted, ...perClass.map((c) => c.f1)];
}

interface Cell {
  truth: number;
  label: number;
}

/** Every metric of a confusion matrix. `positive` is the index of the positive class of two; null otherwise. */
export function confusionMetrics(matrix: ConfusionMatrix, positive: number | null): ConfusionMetrics {
  const size = matrix.labels.length;
  const cells: Cell[] = [];
  const counts: number[] = [];
  for (const [truth, row] of matrix.counts.entries())
    for (const [label, count] of row.entries())
      if (count > 0) {
        cells.push({ truth, label });
        counts.push(count);
      }
  const margins = marginsOf(size, cells, counts);
  const estimates = bootstrap(bootstrapped(margins), margins.n, RESAMPLES, resampler(size, cells, counts));
  const at = (i: number) => estimates[i] ?? proportion(0, 0);
  const averaged = (from: number) => ({ precision: at(from), recall: at(from + 1), f1: at(from + 2) });
  const perClass = matrix.labels.map((label, c) => {
    const [hits = 0, support = 0, predicted = 0] = [margins.hits[c], margins.support[c], margins.predicted[c]];
    const precision = proportion(hits, predicted);
    return { label, precision, recall: proportion(hits, support), f1: at(6 + c), support };
  });
  // With one label per row every error is one false positive and one false negative: micro P = R = F1 = accuracy.
  const accuracy = proportion(
    margins.hits.reduce((sum, hits) => sum + hits, 0),
    margins.n,
  );
  const binary = positive === null ? undefined : perClass[positive];
  return {
    accuracy,
    averages: {
      BINARY: binary ? { precision: binary.precision, recall: binary.recall, f1: binary.f1 } : null,
      MACRO: averaged(0),
      MICRO: { precision: accuracy, recall: accuracy, f1: accuracy },
      WEIGHTED: averaged(3),
    },
    perClass,
  };
}

// Rows with the same truth and prediction are alike, so resampling rows is drawing the matrix's cells anew.
function resampler(size: number, cells: readonly Cell[], counts: readonly number[]) {
  const draw = multinomial(counts);
  const drawn = new Uint32Array(cells.length);
  return (random: Random) => {
    draw(random, drawn);
    return bootstrapped(marginsOf(size, cells, drawn));
  };
}
