/** Metrics of predicted numbers: RMSE, MAE and R2. Pure. */
import { EvaluationError } from './error.ts';
import { bootstrap, type Estimate, rowResamples, undefinedEstimate } from './estimate.ts';

/** How well numbers were predicted. */
export interface ValueEvaluation {
  kind: 'VALUES';
  n: number;
  rmse: Estimate;
  mae: Estimate;
  /** 1 - SS_res / SS_tot; null where the truth does not vary. */
  r2: Estimate;
}

/** Compares predicted numbers with true ones, row by row. @throws EvaluationError. */
export function evaluateValues(input: { truth: ArrayLike<number>; predicted: ArrayLike<number> }): ValueEvaluation {
  const n = input.truth.length;
  if (input.predicted.length !== n)
    throw new EvaluationError('LENGTHS_DIFFER', `expected ${n} predicted values, found ${input.predicted.length}`);
  const truth = Float64Array.from(input.truth);
  const errors = Float64Array.from(truth, (y, i) => (input.predicted[i] ?? Number.NaN) - y);
  const bad = errors.findIndex((error) => !Number.isFinite(error));
  if (bad !== -1)
    throw new EvaluationError(
      'NOT_A_NUMBER',
      `row ${bad}: expected finite numbers, found truth ${truth[bad]} and prediction ${input.predicted[bad]}`,
    );
  // Around the mean: sums of squares of large, close values would cancel.
  const centre = n === 0 ? 0 : truth.reduce((sum, y) => sum + y / n, 0);
  const deviations = truth.map((y) => y - centre);
  const every = statistics(errors, deviations, (i) => i);
  const [rmse, mae, r2] = bootstrap(every, n, rowResamples(n), (random) =>
    statistics(errors, deviations, () => random.below(n)),
  );
  const none = undefinedEstimate(n);
  return { kind: 'VALUES', n, rmse: rmse ?? none, mae: mae ?? none, r2: r2 ?? none };
}

// RMSE, MAE, R2 of the n rows that `pick` names.
function statistics(errors: Float64Array, deviations: Float64Array, pick: (i: number) => number): (number | null)[] {
  const n = errors.length;
  if (n === 0) return [null, null, null];
  let [squares, absolute, sum, sumOfSquares] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const row = pick(i);
    const error = errors[row] ?? 0;
    const deviation = deviations[row] ?? 0;
    squares += error * error;
    absolute += Math.abs(error);
    sum += deviation;
    sumOfSquares += deviation * deviation;
  }
  const total = sumOfSquares - (sum * sum) / n;
  // A resample of equal rows leaves rounding, not variance.
  const varies = total > 1e-12 * sumOfSquares;
  return [Math.sqrt(squares / n), absolute / n, varies ? 1 - squares / total : null];
}
