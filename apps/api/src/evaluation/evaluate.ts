/**
 * Every metric of a version, from predictions and truth alone: the one place that computes them. Pure, knows no
 * storage.
 */
import type { Table } from '@anneal/trainer/contract';
import { PARTS } from '@anneal/trainer/contract';
import type { PredictionsFile } from '../contract.ts';
import { type ConfusionMatrix, type ConfusionMetrics, confusionMatrix, confusionMetrics } from './confusion.ts';
import { EvaluationError } from './error.ts';
import { undefinedEstimate } from './estimate.ts';
import { type ProbabilityMetrics, probabilityMetrics } from './probabilities.ts';
import { evaluateValues, type ValueEvaluation } from './values.ts';

export type { Averaged, ClassMetrics, ConfusionMatrix } from './confusion.ts';
export type { Estimate } from './estimate.ts';
export type { ProbabilityMetrics } from './probabilities.ts';
export { evaluateValues, type ValueEvaluation } from './values.ts';

/** How well classes were predicted. */
export interface ClassEvaluation extends ConfusionMetrics, ProbabilityMetrics {
  kind: 'CLASSES';
  n: number;
  classes: string[];
  positiveClass: string | null;
  /** At which the labels were made; null unless there are two classes. */
  threshold: number | null;
  confusionMatrix: ConfusionMatrix;
}

export type Evaluation = ClassEvaluation | ValueEvaluation;

/** Class predictions and what was true, row by row. */
export interface ClassInput {
  /** Of the dataset version: what was never predicted or never true counts too. */
  classes: readonly string[];
  /** With two classes; the last where null. */
  positiveClass: string | null;
  /** Class indices. */
  truth: ArrayLike<number>;
  labels: ArrayLike<number>;
  probabilities?: readonly (readonly number[])[] | null;
  /** The manifest's, at which `labels` were made. */
  threshold: number | null;
  /** Asks for labels at another threshold, made anew from the probabilities. Two classes only. */
  at?: number | null;
  /** Log loss and ROC AUC of these probabilities, if they were computed before: most of the work. */
  known?: ProbabilityMetrics | null;
}

/** Compares predicted with true classes. @throws EvaluationError. */
export function evaluateClasses(input: ClassInput): ClassEvaluation {
  const { classes, truth } = input;
  checkClassIndices(input);
  const positive = positiveIndex(input);
  const labels = input.at == null ? input.labels : relabel(input, positive, input.at);
  const matrix = confusionMatrix(classes, truth, labels);
  const n = truth.length;
  return {
    kind: 'CLASSES',
    n,
    classes: [...classes],
    positiveClass: positive === null ? null : (classes[positive] ?? null),
    threshold: positive === null ? null : (input.at ?? input.threshold),
    ...confusionMetrics(matrix, positive),
    confusionMatrix: matrix,
    ...ofProbabilities(input, positive),
  };
}

// They are the same at every threshold, so what an earlier evaluation found may be handed in.
function ofProbabilities({ truth, probabilities, known }: ClassInput, positive: number | null): ProbabilityMetrics {
  if (known) return { logLoss: known.logLoss, rocAuc: known.rocAuc };
  if (probabilities != null) return probabilityMetrics(truth, probabilities, positive);
  const none = undefinedEstimate(truth.length);
  return { logLoss: none, rocAuc: positive === null ? null : none };
}

function checkClassIndices({ classes, truth, labels, probabilities }: ClassInput): void {
  const n = truth.length;
  if (labels.length !== n || (probabilities != null && probabilities.length !== n))
    throw new EvaluationError(
      'LENGTHS_DIFFER',
      `expected ${n} labels and rows of probabilities, found ${labels.length} and ${probabilities?.length ?? 'none'}`,
    );
  for (let i = 0; i < n; i++)
    for (const index of [truth[i], labels[i]])
      if (index === undefined || !Number.isInteger(index) || index < 0 || index >= classes.length)
        throw new EvaluationError(
          'NOT_A_CLASS_INDEX',
          `row ${i}: expected a class index from 0 to ${classes.length - 1}, found ${index}`,
        );
  for (const [i, row] of (probabilities ?? []).entries())
    if (row.length !== classes.length || !row.every(Number.isFinite))
      throw new EvaluationError(
        'NOT_A_NUMBER',
        `row ${i}: expected ${classes.length} finite probabilities, found [${row.slice(0, 5).join(', ')}]`,
      );
}

function positiveIndex({ classes, positiveClass }: ClassInput): number | null {
  if (classes.length !== 2) return null;
  if (positiveClass === null) return 1;
  const index = classes.indexOf(positiveClass);
  if (index === -1)
    throw new EvaluationError(
      'CLASSES_DIFFER',
      `the positive class "${positiveClass}" is not among ${JSON.stringify(classes)}`,
    );
  return index;
}

// The edge's rule: positive iff its probability reaches the threshold.
function relabel({ probabilities }: ClassInput, positive: number | null, at: number): number[] {
  if (positive === null || probabilities == null)
    throw new EvaluationError(
      'THRESHOLD_NOT_BINARY',
      'another threshold can be asked for only where there are two classes and probabilities; leave it out',
    );
  if (!(at >= 0 && at <= 1))
    throw new EvaluationError('BAD_THRESHOLD', `expected a threshold from 0 to 1, found ${at}`);
  return probabilities.map((row) => ((row[positive] ?? 0) >= at ? positive : 1 - positive));
}

/** What HOLDOUT is computed from. */
export interface HoldoutInput {
  predictions: PredictionsFile;
  /** The dataset version's table: the source of truth and of the class list. */
  table: Table;
  positiveClass: string | null;
  threshold: number | null;
  at?: number | null;
  known?: ProbabilityMetrics | null;
}

/** Evaluates predictions of the held-out rows: every TEST row once, no other. @throws EvaluationError. */
export function evaluate({ predictions, table, positiveClass, threshold, at = null, known }: HoldoutInput): Evaluation {
  checkRows(predictions.rows, table);
  const { target } = table;
  if (predictions.kind === 'VALUES') {
    if (at !== null)
      throw new EvaluationError('THRESHOLD_NOT_BINARY', 'a regression has no threshold; leave the threshold out');
    if (target.values === null)
      throw new EvaluationError('CLASSES_DIFFER', `the target "${target.name}" has classes, but values were predicted`);
    const { values } = target;
    const truth = Float64Array.from(predictions.rows, (row) => values[row] ?? Number.NaN);
    return evaluateValues({ truth, predicted: predictions.values });
  }
  const { codes } = target;
  const { classes, labels, probabilities } = predictions;
  if (target.classes === null || codes === null || !sameNames(target.classes, classes))
    throw new EvaluationError(
      'CLASSES_DIFFER',
      `the target "${target.name}" has the classes ${JSON.stringify(target.classes)}, predicted were ` +
        JSON.stringify(classes),
    );
  // An imported model has its classes in an order of its own.
  const codeOf = target.classes.map((name) => classes.indexOf(name));
  const truth = Int32Array.from(predictions.rows, (row) => codeOf[codes[row] ?? -1] ?? -1);
  return evaluateClasses({ classes, positiveClass, truth, labels, probabilities, threshold, at, known });
}

const sameNames = (a: readonly string[], b: readonly string[]) =>
  JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted());

function checkRows(rows: readonly number[], table: Table): void {
  const test = PARTS.indexOf('TEST');
  const seen = new Uint8Array(table.rowCount);
  for (const row of rows) {
    if (table.split[row] !== test || seen[row] === 1)
      throw new EvaluationError(
        'ROWS_DIFFER',
        `row ${row} is predicted ${seen[row] === 1 ? 'twice' : 'but is not a TEST row'}; expected every TEST row once`,
      );
    seen[row] = 1;
  }
  const expected = table.split.reduce((count, part) => count + (part === test ? 1 : 0), 0);
  if (rows.length !== expected)
    throw new EvaluationError('ROWS_DIFFER', `expected predictions of all ${expected} TEST rows, found ${rows.length}`);
}
