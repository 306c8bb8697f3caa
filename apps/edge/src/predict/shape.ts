/** The tensors of a model's outputs -> predictions: label, score, probabilities, or a value. */
import type { ClassPrediction, Manifest, Prediction, ValuePrediction } from '../contract.ts';
import type { Outputs } from '../engine/tensor.ts';
import { fieldPath, PredictError } from './errors.ts';

/**
 * Shapes a run's outputs, in order of the instances, of which the run's first is number `first`. The manifest is the
 * only source of the threshold.
 * @throws PredictError NOT_FINITE when the model answers with NaN or infinity; Error when outputs and manifest
 * disagree.
 */
export function toPredictions(manifest: Manifest, outputs: Outputs, first = 0): Prediction[] {
  const tensor = outputs[manifest.output];
  if (tensor?.type !== 'float32')
    throw new Error(`expected the output "${manifest.output}" as float32, got ${tensor?.type ?? 'nothing'}`);
  refuseNotFinite(tensor.data, manifest.classes?.length ?? 1, first);
  return manifest.output === 'value'
    ? Array.from(tensor.data, (value): ValuePrediction => ({ value }))
    : classPredictions(manifest, tensor.data, tensor.dims);
}

function refuseNotFinite(data: Float32Array, width: number, first: number): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at === -1) return;
  const field = fieldPath(first + Math.floor(at / width));
  throw new PredictError('NOT_FINITE', field, `the model's answer is ${data[at]}: a value is out of range`);
}

function classPredictions(manifest: Manifest, data: Float32Array, dims: readonly number[]): ClassPrediction[] {
  const classes = manifest.classes ?? [];
  const width = classes.length;
  if (dims.length !== 2 || dims[1] !== width)
    throw new Error(
      `expected probabilities of [N,${width}], got [${dims}]: the manifest's classes do not fit the model`,
    );
  const decide = decision(manifest, classes);
  return Array.from({ length: data.length / width }, (_, i) => {
    const row = data.subarray(i * width, (i + 1) * width);
    const winner = decide(row);
    const probabilities = Object.fromEntries(classes.map((name, c) => [name, row[c] ?? 0]));
    return { label: classes[winner] ?? '', score: row[winner] ?? 0, probabilities };
  });
}

/** Probabilities of one row -> index of the label. */
function decision(manifest: Manifest, classes: string[]): (row: Float32Array) => number {
  const { threshold, positiveClass } = manifest;
  if (threshold === null) return argmax;
  const positive = positiveClass === null ? -1 : classes.indexOf(positiveClass);
  if (positive === -1 || classes.length !== 2)
    throw new Error('manifest: a threshold needs two classes and one of them as positiveClass');
  return (row) => ((row[positive] ?? 0) >= threshold ? positive : 1 - positive);
}

/** The first of the largest. */
function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] ?? 0) > (row[best] ?? 0)) best = i;
  return best;
}
