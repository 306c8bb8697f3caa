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
  let at = 0;
  while (at < data.length && Number.isFinite(data[at])) at++;
  if (at === data.length) return;
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
  const predictions: ClassPrediction[] = [];
  for (let at = 0; at < data.length; at += width) {
    const winner = decide(data, at);
    const probabilities: Record<string, number> = {};
    for (let c = 0; c < width; c++) put(probabilities, classes[c] ?? '', data[at + c] ?? 0);
    predictions.push({ label: classes[winner] ?? '', score: data[at + winner] ?? 0, probabilities });
  }
  return predictions;
}

/** Assigning would not do for a class of that name. */
function put(to: Record<string, number>, name: string, value: number): void {
  if (name === '__proto__')
    Object.defineProperty(to, name, { value, enumerable: true, writable: true, configurable: true });
  else to[name] = value;
}

/** The probabilities of the row that begins at `at` -> index of the label. */
function decision(manifest: Manifest, classes: string[]): (data: Float32Array, at: number) => number {
  const { threshold, positiveClass } = manifest;
  if (threshold === null) return (data, at) => argmax(data, at, classes.length);
  const positive = positiveClass === null ? -1 : classes.indexOf(positiveClass);
  if (positive === -1 || classes.length !== 2)
    throw new Error('manifest: a threshold needs two classes and one of them as positiveClass');
  return (data, at) => ((data[at + positive] ?? 0) >= threshold ? positive : 1 - positive);
}

/** The first of the largest. */
function argmax(data: Float32Array, at: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if ((data[at + i] ?? 0) > (data[at + best] ?? 0)) best = i;
  return best;
}
