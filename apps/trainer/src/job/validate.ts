/**
 * What the network is worth on the validation rows: for early stopping and the threshold only. Published metrics are
 * the API's, computed from the edge's predictions. Pure.
 */
import type { Objective } from '../contract.ts';

/** Judged values by name; they become the metrics `validation_<name>`. */
export type Validation =
  | { kind: 'CLASSES'; loss: number; accuracy: number; f1_macro: number }
  | { kind: 'VALUES'; loss: number; rmse: number; r2: number | null };

/** `logits` [N,1] (BINARY: of class 1) or [N,C] against class indexes. */
export function validateClasses(logits: Float32Array, labels: Int32Array, classCount: number): Validation {
  const width = logits.length / labels.length;
  const predicted = new Int32Array(labels.length);
  let loss = 0;
  labels.forEach((label, row) => {
    const own = logits.subarray(row * width, (row + 1) * width);
    const scores = width === 1 ? [0, own[0] ?? 0] : [...own]; // sigmoid(z) = softmax([0, z])
    const top = Math.max(...scores);
    predicted[row] = scores.indexOf(top);
    const logSum = top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
    loss += (logSum - (scores[label] ?? Number.NaN)) / labels.length;
  });
  const right = labels.reduce((sum, label, row) => sum + Number(label === predicted[row]), 0);
  return { kind: 'CLASSES', loss, accuracy: right / labels.length, f1_macro: macroF1(labels, predicted, classCount) };
}

/** `z` standardised predictions against standardised targets; `scale` brings the error back to the target's unit. */
export function validateValues(z: Float32Array, targets: Float32Array, scale: number): Validation {
  const mean = targets.reduce((sum, target) => sum + target / targets.length, 0);
  const loss = targets.reduce((sum, target, row) => sum + ((z[row] ?? Number.NaN) - target) ** 2 / targets.length, 0);
  const variance = targets.reduce((sum, target) => sum + (target - mean) ** 2 / targets.length, 0);
  return { kind: 'VALUES', loss, rmse: Math.sqrt(loss) * scale, r2: variance > 0 ? 1 - loss / variance : null };
}

/** Mean F1 over the classes; a class that neither occurs nor is predicted does not count. */
export function macroF1(labels: ArrayLike<number>, predicted: ArrayLike<number>, classCount: number): number {
  const hits = new Float64Array(classCount);
  const seen = new Float64Array(classCount); // occurrences + predictions
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] ?? 0;
    const guess = predicted[row] ?? 0;
    seen[label] = (seen[label] ?? 0) + 1;
    seen[guess] = (seen[guess] ?? 0) + 1;
    if (label === guess) hits[label] = (hits[label] ?? 0) + 1;
  }
  const counted = [...seen.keys()].filter((k) => (seen[k] ?? 0) > 0);
  // F1 = 2 TP / (2 TP + FP + FN)
  return counted.reduce((sum, k) => sum + (2 * (hits[k] ?? 0)) / (seen[k] ?? 1), 0) / Math.max(1, counted.length);
}

/** What an objective compares, smaller is better, the second settles ties: few rows tie often on accuracy. */
export function scoreOf(validation: Validation, objective: Objective): [number, number] {
  const { loss } = validation;
  if (validation.kind === 'VALUES') return [validation.rmse, loss];
  if (objective === 'ACCURACY') return [-validation.accuracy, loss];
  return objective === 'F1_MACRO' ? [-validation.f1_macro, loss] : [loss, loss];
}

/** The objective's own value of such a score, in its own direction: what a search compares its trials by. */
export function objectiveOf([score]: readonly [number, number], objective: Objective): number {
  return objective === 'ACCURACY' || objective === 'F1_MACRO' ? -score : score;
}

/** True when `a` beats `b`. */
export function better(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
