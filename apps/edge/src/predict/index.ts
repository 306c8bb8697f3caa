/**
 * The door @anneal/edge/predict: instances -> tensors -> run -> predictions. The Worker serves through this code and
 * the trainer evaluates through it, so a metric speaks of what users get.
 */
import type { Manifest, Prediction } from '../contract.ts';
import type { Feeds, Outputs, Tensor } from '../engine/tensor.ts';
import { fieldPath, PredictError } from './errors.ts';
import { type Instance, type ParseLimits, parseInstances, readForRun } from './parse.ts';
import { toPredictions } from './shape.ts';

export { parsePredictionId, versionTag } from '../prediction-id.ts';
export { PredictError, type PredictErrorCode } from './errors.ts';
export { type Instance, parseInstances, toPredictions };

/** Numbers of tensors and tokens that go into one run: what a network makes of each may be a thousand times larger. */
const NUMBERS_PER_RUN = 2 ** 15;
const TOKENS_PER_RUN = 2 ** 11;

/** What one call may send and spend; absent = without limit. */
export interface PredictLimits extends ParseLimits {
  /** Milliseconds: the rest of a batch is refused once they are spent. One run is not interrupted. */
  computeMs?: number | null;
}
/** Rows of a run where time is looked at between two runs. */
const ROWS_PER_LOOK = 32;

/**
 * Predicts all instances, synchronously: rows of a table in one run, tensors and sequences in several, because the heap
 * is small. @throws PredictError for the client's mistakes, OrtError for the engine's.
 */
export function predict(
  session: { run(feeds: Feeds): Outputs },
  manifest: Manifest,
  instances: readonly Instance[],
  { computeMs, ...limits }: PredictLimits = {},
): Prediction[] {
  const started = performance.now();
  const feeds = readForRun(manifest, instances, limits);
  if (instances.length === 1) return toPredictions(manifest, session.run(feeds));
  const step = Math.min(instancesPerRun(feeds), computeMs ? ROWS_PER_LOOK : Number.POSITIVE_INFINITY);
  if (instances.length <= step) return toPredictions(manifest, session.run(feeds));
  const predictions: Prediction[] = [];
  for (let start = 0; start < instances.length; start += step) {
    if (computeMs && performance.now() - started > computeMs)
      throw new PredictError(
        'COMPUTE_BUDGET',
        fieldPath(start),
        `the endpoint's ${computeMs} ms of computing were spent before this one of ${instances.length}: send fewer`,
      );
    const part = Object.entries(feeds).map(([name, tensor]) => [name, rowsOf(tensor, start, start + step)]);
    predictions.push(...toPredictions(manifest, session.run(Object.fromEntries(part)), start));
  }
  return predictions;
}

function instancesPerRun(feeds: Feeds): number {
  const share = Object.values(feeds).reduce((sum, { type, dims }) => {
    const width = dims.slice(1).reduce((product, dim) => product * dim, 1);
    if (type === 'int32') return sum + width / TOKENS_PER_RUN;
    return type === 'float32' ? sum + width / NUMBERS_PER_RUN : sum;
  }, 0);
  return share === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(1 / share));
}

/** Rows start..end of a tensor; its data is not copied. */
function rowsOf(tensor: Tensor, start: number, end: number): Tensor {
  const [count = 0, ...row] = tensor.dims;
  const width = row.reduce((product, dim) => product * dim, 1);
  const dims = [Math.min(end, count) - start, ...row];
  const [from, to] = [start * width, end * width];
  if (tensor.type === 'float32') return { ...tensor, dims, data: tensor.data.subarray(from, to) };
  if (tensor.type === 'int32') return { ...tensor, dims, data: tensor.data.subarray(from, to) };
  if (tensor.type === 'float64') return { ...tensor, dims, data: tensor.data.subarray(from, to) };
  if (tensor.type === 'string') return { ...tensor, dims, data: tensor.data.slice(from, to) };
  throw new Error(`no input of a model is ${tensor.type}`);
}
