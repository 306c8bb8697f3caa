/** Metrics against numbers worked out by hand, and against what must hold for any. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PredictionsFile } from '../contract.ts';
import { EvaluationError } from './error.ts';
import { proportion } from './estimate.ts';
import { type ClassEvaluation, type Estimate, evaluate, evaluateClasses, evaluateValues } from './evaluate.ts';

const classInput = (classes: string[], truth: number[], labels: number[], more = {}) => ({
  classes,
  positiveClass: null,
  truth,
  labels,
  threshold: null,
  ...more,
});

/** Truth [4, 3, 3] of a, b, c: rows of the matrix [[2,1,1],[0,3,0],[1,0,2]]. */
const THREE = classInput(['a', 'b', 'c'], [0, 0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 1, 2, 1, 1, 1, 0, 2, 2]);

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof EvaluationError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('classes, by hand', () => {
  const e = evaluateClasses(THREE);

  it('counts the matrix with truth in rows', () => {
    expect(e.confusionMatrix).toEqual({
      labels: ['a', 'b', 'c'],
      counts: [
        [2, 1, 1],
        [0, 3, 0],
        [1, 0, 2],
      ],
    });
    expect(e).toMatchObject({ kind: 'CLASSES', n: 10, positiveClass: null, threshold: null });
    expect(e.averages.BINARY).toBeNull();
    expect(e.rocAuc).toBeNull();
    expect(e.logLoss).toEqual({ value: null, low: null, high: null, n: 10 });
  });

  it('gives precision, recall, F1 and support of each class', () => {
    const rows = e.perClass.map((c) => [c.label, c.precision.value, c.recall.value, c.f1.value, c.support]);
    expect(rows).toEqual([
      ['a', 2 / 3, 2 / 4, 4 / 7, 4],
      ['b', 3 / 4, 3 / 3, 6 / 7, 3],
      ['c', 2 / 3, 2 / 3, 4 / 6, 3],
    ]);
    expect(e.perClass.map((c) => [c.precision.n, c.recall.n])).toEqual([
      [3, 4],
      [4, 3],
      [3, 3],
    ]);
  });

  it('averages them', () => {
    expect(e.accuracy.value).toBe(0.7);
    expect(e.averages.MACRO.precision.value).toBeCloseTo((2 / 3 + 3 / 4 + 2 / 3) / 3, 14);
    expect(e.averages.MACRO.recall.value).toBeCloseTo((1 / 2 + 1 + 2 / 3) / 3, 14);
    expect(e.averages.MACRO.f1.value).toBeCloseTo((4 / 7 + 6 / 7 + 2 / 3) / 3, 14);
    expect(e.averages.WEIGHTED.precision.value).toBeCloseTo(0.4 * (2 / 3) + 0.3 * (3 / 4) + 0.3 * (2 / 3), 14);
    expect(e.averages.WEIGHTED.f1.value).toBeCloseTo(0.4 * (4 / 7) + 0.3 * (6 / 7) + 0.3 * (2 / 3), 14);
    expect(e.averages.MICRO.f1).toEqual(e.accuracy);
  });
});

describe('what is undefined is null', () => {
  it('a class that is neither true nor predicted has no metric and leaves the averages alone', () => {
    const with4 = evaluateClasses({ ...THREE, classes: ['a', 'b', 'c', 'never'] });
    const none = { value: null, low: null, high: null };
    expect(with4.perClass[3]).toMatchObject({ precision: none, recall: none, f1: none, support: 0 });
    expect(with4.averages.MACRO.f1.value).toBeCloseTo((4 / 7 + 6 / 7 + 2 / 3) / 3, 14);
    expect(with4.confusionMatrix.counts[3]).toEqual([0, 0, 0, 0]);
  });

  it('a class that is true but never predicted has no precision, and F1 0', () => {
    const e = evaluateClasses(classInput(['n', 'y'], [0, 0, 1], [0, 0, 0]));
    expect(e.averages.BINARY?.precision.value).toBeNull();
    expect(e.averages.BINARY?.recall.value).toBe(0);
    expect(e.averages.BINARY?.f1.value).toBe(0);
  });

  it('no rows at all', () => {
    const e = evaluateClasses(classInput(['n', 'y'], [], [], { probabilities: [] }));
    for (const x of [e.accuracy, e.averages.MACRO.f1, e.logLoss, e.rocAuc])
      expect(x).toEqual({ value: null, low: null, high: null, n: 0 });
    expect(evaluateValues({ truth: [], predicted: [] }).rmse.value).toBeNull();
  });
});

describe('two classes and their threshold', () => {
  const probabilities = [0.9, 0.4, 0.6, 0.2, 0.5].map((p) => [1 - p, p]);
  const input = classInput(['no', 'yes'], [1, 1, 0, 0, 1], [1, 0, 1, 0, 1], { probabilities, threshold: 0.5 });

  it('takes the labels as they were made, and makes them anew at another threshold', () => {
    expect(evaluateClasses(input).confusionMatrix.counts).toEqual([
      [1, 1],
      [1, 2],
    ]);
    const lower = evaluateClasses({ ...input, at: 0.4 });
    expect(lower).toMatchObject({ threshold: 0.4, positiveClass: 'yes' });
    expect(lower.confusionMatrix.counts).toEqual([
      [1, 1],
      [0, 3],
    ]);
    expect(lower.averages.BINARY?.precision.value).toBe(3 / 4);
  });

  it('knows which class is positive', () => {
    const e = evaluateClasses({ ...input, positiveClass: 'no' });
    expect(e.averages.BINARY?.recall.value).toBe(1 / 2);
    // "no" at 0.6: rows with p(no) >= 0.6 are 2 and 4.
    expect(evaluateClasses({ ...input, positiveClass: 'no', at: 0.6 }).confusionMatrix.counts).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  it('log loss and ROC AUC', () => {
    const e = evaluateClasses(input);
    const losses = [0.9, 0.4, 0.4, 0.8, 0.5].map((p) => -Math.log(p));
    expect(e.logLoss.value).toBeCloseTo(losses.reduce((a, b) => a + b) / 5, 14);
    // Pairs (positive above negative): .9 beats .6 and .2; .4 and .5 beat .2 only: 4 of 6.
    expect(e.rocAuc?.value).toBeCloseTo(4 / 6, 14);
    const ties = classInput(['n', 'y'], [0, 1, 1, 0], [1, 1, 1, 1], { probabilities: Array(4).fill([0.5, 0.5]) });
    expect(evaluateClasses(ties).rocAuc?.value).toBe(0.5);
  });

  it('refuses a threshold where there is none, and one that is no probability', () => {
    expect(codeOf(() => evaluateClasses({ ...THREE, at: 0.4 }))).toBe('THRESHOLD_NOT_BINARY');
    expect(codeOf(() => evaluateClasses({ ...input, probabilities: null, at: 0.4 }))).toBe('THRESHOLD_NOT_BINARY');
    expect(codeOf(() => evaluateClasses({ ...input, at: 1.5 }))).toBe('BAD_THRESHOLD');
  });

  it('refuses what does not fit together', () => {
    expect(codeOf(() => evaluateClasses({ ...input, labels: [1] }))).toBe('LENGTHS_DIFFER');
    expect(codeOf(() => evaluateClasses({ ...input, labels: [2, 0, 0, 0, 0] }))).toBe('NOT_A_CLASS_INDEX');
    expect(codeOf(() => evaluateClasses({ ...input, positiveClass: 'maybe' }))).toBe('CLASSES_DIFFER');
    expect(codeOf(() => evaluateValues({ truth: [1], predicted: [Number.NaN] }))).toBe('NOT_A_NUMBER');
  });
});

describe('values, by hand', () => {
  it('RMSE, MAE and R2', () => {
    // scikit-learn's documentation of r2_score: 0.948608137...
    const e = evaluateValues({ truth: [3, -0.5, 2, 7], predicted: [2.5, 0, 2, 8] });
    expect(e.rmse.value).toBeCloseTo(Math.sqrt(0.375), 14);
    expect(e.mae.value).toBe(0.5);
    expect(e.r2.value).toBeCloseTo(0.9486081370449679, 14);
  });

  it('R2 is undefined where the truth does not vary, and exact far from zero', () => {
    expect(evaluateValues({ truth: [2, 2, 2], predicted: [1, 2, 3] }).r2.value).toBeNull();
    const far = evaluateValues({ truth: [1e9, 1e9 + 1, 1e9 + 2], predicted: [1e9, 1e9 + 1, 1e9 + 1] });
    expect(far.r2.value).toBeCloseTo(0.5, 12);
  });
});

describe('intervals', () => {
  it('Wilson, as published: 7 of 10, 0 of 10, 10 of 10', () => {
    const seven = proportion(7, 10);
    expect(seven.low).toBeCloseTo(0.39678, 5);
    expect(seven.high).toBeCloseTo(0.89221, 5);
    expect(proportion(0, 10).high).toBeCloseTo(0.27753, 5);
    expect(proportion(0, 10).low).toBe(0);
    expect(proportion(10, 10)).toMatchObject({ value: 1, high: 1 });
  });

  it('the bootstrap of a mean agrees with the normal approximation', () => {
    // 400 errors of +-1 and +-2: MAE 1.5, standard deviation of |error| 0.5, standard error 0.025.
    const predicted = Array.from({ length: 400 }, (_, i) => [1, -1, 2, -2][i % 4] ?? 0);
    const { mae } = evaluateValues({
      truth: predicted.map((_, i) => i % 7),
      predicted: predicted.map((e, i) => (i % 7) + e),
    });
    expect(mae.value).toBeCloseTo(1.5, 12);
    expect(mae.low).toBeGreaterThan(1.5 - 1.96 * 0.025 - 0.006);
    expect(mae.low).toBeLessThan(1.5 - 1.96 * 0.025 + 0.006);
    expect(mae.high).toBeGreaterThan(1.5 + 1.96 * 0.025 - 0.006);
  });

  it('are the same each time', () => {
    expect(evaluateClasses(THREE)).toEqual(evaluateClasses(THREE));
  });

  it('are fast enough to answer a query for the 16,281 test rows of adult', () => {
    const truth = Array.from({ length: 16_281 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const labels = truth.map((t, i) => (i % 7 === 0 ? 1 - t : t));
    const probabilities = labels.map((l, i) => (l === 1 ? [0.3, 0.7 + (i % 10) / 100] : [0.8, 0.2 + (i % 10) / 100]));
    const started = performance.now();
    const input = classInput(['a', 'b'], truth, labels, { probabilities, threshold: 0.5 });
    const first = evaluateClasses(input);
    const ms = performance.now() - started;
    const again = evaluateClasses({ ...input, at: 0.4, known: first });
    const more = performance.now() - started - ms;
    console.log(`evaluation of 16,281 rows: ${ms.toFixed(0)} ms, at another threshold ${more.toFixed(0)} ms`);
    expect(again.rocAuc).toEqual(first.rocAuc);
    expect(ms).toBeLessThan(5000); // ten times what one free core takes: a slow machine may share it
  });
});

/** Truth and prediction of up to 60 rows over up to 6 classes. */
const cases = fc.integer({ min: 2, max: 6 }).chain((size) =>
  fc.record({
    classes: fc.constant(Array.from({ length: size }, (_, i) => `k${i}`)),
    pairs: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { minLength: 1, maxLength: 60 }),
  }),
);
const run = ({ classes, pairs }: { classes: string[]; pairs: [number, number][] }) =>
  evaluateClasses(
    classInput(
      classes,
      pairs.map(([truth]) => truth),
      pairs.map(([, label]) => label),
    ),
  );
const estimatesOf = (e: ClassEvaluation): Estimate[] => [
  e.accuracy,
  ...Object.values(e.averages).flatMap((a) => (a === null ? [] : [a.precision, a.recall, a.f1])),
  ...e.perClass.flatMap((c) => [c.precision, c.recall, c.f1]),
];

describe('properties', () => {
  it('every interval holds its value and stays in [0, 1]', () => {
    fc.assert(
      fc.property(cases, (c) => {
        for (const { value, low, high } of estimatesOf(run(c))) {
          if (value === null || low === null || high === null) continue;
          expect(low).toBeLessThanOrEqual(value);
          expect(high).toBeGreaterThanOrEqual(value);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(high).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('weighted recall is accuracy; F1 is the harmonic mean; the order of rows does not matter', () => {
    fc.assert(
      fc.property(cases, (c) => {
        const e = run(c);
        expect(e.averages.WEIGHTED.recall.value).toBeCloseTo(e.accuracy.value ?? -1, 12);
        for (const { precision, recall, f1 } of e.perClass) {
          const [p, r] = [precision.value, recall.value];
          if (p !== null && r !== null && p + r > 0) expect(f1.value).toBeCloseTo((2 * p * r) / (p + r), 12);
        }
        expect(run({ ...c, pairs: c.pairs.toReversed() })).toEqual(e);
      }),
      { numRuns: 40 },
    );
  });

  it('renaming the classes renames the answer: class i of one is class size-1-i of the other', () => {
    fc.assert(
      fc.property(cases, ({ classes, pairs }) => {
        const last = classes.length - 1;
        const values = (e: ClassEvaluation) => e.perClass.map((c) => [c.precision.value, c.recall.value, c.f1.value]);
        const mirrored = run({ classes, pairs: pairs.map(([t, l]) => [last - t, last - l]) });
        expect(values(mirrored)).toEqual(values(run({ classes, pairs })).toReversed());
      }),
      { numRuns: 40 },
    );
  });

  it('ROC AUC is the share of rightly ordered pairs', () => {
    const rows = fc.array(fc.tuple(fc.boolean(), fc.nat(5)), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(rows, (sample) => {
        const truth = sample.map(([positive]) => (positive ? 1 : 0));
        const probabilities = sample.map(([, s]) => [1 - s / 5, s / 5]);
        const { rocAuc } = evaluateClasses(classInput(['n', 'y'], truth, truth, { probabilities }));
        let [pairs, right] = [0, 0];
        for (const [p, s] of sample)
          for (const [q, t] of sample)
            if (p && !q) {
              pairs++;
              right += s > t ? 1 : s === t ? 0.5 : 0;
            }
        if (pairs === 0) expect(rocAuc?.value).toBeNull();
        else expect(rocAuc?.value).toBeCloseTo(right / pairs, 12);
      }),
      { numRuns: 60 },
    );
  });
});

describe('held-out rows', () => {
  const table = {
    rowCount: 5,
    columns: [],
    target: { name: 't', classes: ['a', 'b'], codes: Int32Array.of(0, 1, 0, 1, 1), values: null },
    rows: Uint32Array.of(0, 1, 2, 3, 4),
    split: Uint8Array.of(0, 2, 2, 1, 2),
  };
  const predictions = (rows: number[], classes = ['a', 'b']): PredictionsFile => ({
    formatVersion: 1,
    kind: 'CLASSES',
    rows,
    classes,
    probabilities: rows.map((row) => (row === 4 ? [0.9, 0.1] : [0.4, 0.6])),
    labels: rows.map((row) => (row === 4 ? 0 : 1)),
  });
  const ask = (rows: number[], classes?: string[]) => () =>
    evaluate({ predictions: predictions(rows, classes), table, positiveClass: 'b', threshold: 0.5 });

  it('takes the truth from the table by row, in any order', () => {
    const e = ask([4, 1, 2])();
    expect(e.kind === 'CLASSES' && e.confusionMatrix.counts).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });

  it('demands every TEST row once and the classes of the table', () => {
    expect(codeOf(ask([4, 1]))).toBe('ROWS_DIFFER');
    expect(codeOf(ask([4, 1, 1]))).toBe('ROWS_DIFFER');
    expect(codeOf(ask([4, 1, 0]))).toBe('ROWS_DIFFER');
    expect(codeOf(ask([4, 1, 2], ['a', 'c']))).toBe('CLASSES_DIFFER');
    expect(codeOf(ask([4, 1, 2], ['a', 'b', 'c']))).toBe('CLASSES_DIFFER');
  });

  it('compares classes by name: an imported model has an order of its own', () => {
    const e = ask([4, 1, 2], ['b', 'a'])(); // row 4 was answered as b, the others as a
    expect(e.kind === 'CLASSES' && e.confusionMatrix.counts.flat()).toEqual([1, 1, 0, 1]);
    expect(e.kind === 'CLASSES' && e.accuracy.value).toBeCloseTo(2 / 3, 12);
  });

  it('compares values for a regression and refuses a threshold there', () => {
    const numbers = {
      ...table,
      target: { name: 't', classes: null, codes: null, values: Float64Array.of(1, 2, 3, 4, 5) },
    };
    const values: PredictionsFile = { formatVersion: 1, kind: 'VALUES', rows: [1, 2, 4], values: [2, 4, 5] };
    const input = { predictions: values, table: numbers, positiveClass: null, threshold: null };
    const e = evaluate(input);
    expect(e.kind === 'VALUES' && e.mae.value).toBeCloseTo(1 / 3, 12);
    expect(codeOf(() => evaluate({ ...input, at: 0.5 }))).toBe('THRESHOLD_NOT_BINARY');
    expect(codeOf(() => evaluate({ ...input, table }))).toBe('CLASSES_DIFFER');
  });
});
