/**
 * The door @anneal/edge/predict: instances -> tensors -> run -> predictions. The Worker serves through this code and
 * the trainer evaluates through it, so a metric speaks of what users get.
 */
import type { Manifest, Prediction } from '../contract.ts';
import type { Feeds, Outputs } from '../engine/tensor.ts';
import { type Instance, parseInstances } from './parse.ts';
import { toPredictions } from './shape.ts';

export { PredictError, type PredictErrorCode } from './errors.ts';
export { type Instance, parseInstances, toPredictions };

/**
 * Predicts all instances in one synchronous run. @throws PredictError for the client's mistakes, OrtError for the
 * engine's.
 */
export function predict(
  session: { run(feeds: Feeds): Outputs },
  manifest: Manifest,
  instances: readonly Instance[],
): Prediction[] {
  return toPredictions(manifest, session.run(parseInstances(manifest, instances)));
}
