/**
 * The artifact: raw columns -> recipe -> trained network -> probabilities or value, as one ONNX file. It is the graph
 * that was trained with its weights filled in; nothing is converted. Holds no run id, no name and no time: same spec,
 * same bytes.
 */
import { canonicalRunSpec, type RunSpec } from '../contract.ts';
import { buildFeatures, rawInputs } from '../data/features.ts';
import type { Recipe } from '../data/recipe.ts';
import type { Targets } from '../data/targets.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import type { Network, Weights } from '../zoo/index.ts';
import { infer } from '../zoo/inference.ts';
import { sha256 } from './digest.ts';

/** sha256 of everything that decides the artifact's bytes. */
export function specDigestOf(spec: RunSpec): string {
  return sha256(canonicalRunSpec(spec));
}

/** The recipe alone: output `features`, what the network reads. */
export function buildRecipeGraph(recipe: Recipe): Uint8Array<ArrayBuffer> {
  const g = new GraphBuilder('recipe');
  g.output('features', buildFeatures(g, recipe));
  return encodeModel(g.model());
}

/** The file that is published. */
export function buildArtifact(o: {
  spec: RunSpec;
  recipe: Recipe;
  network: Network;
  weights: Weights;
  targets: Targets;
  threshold: number | null;
}): Uint8Array<ArrayBuffer> {
  const { spec, recipe, network, weights, targets, threshold } = o;
  const g = new GraphBuilder('anneal');
  const said = infer(buildFeatures(g, recipe), { network, weights, task: spec.task });
  if (targets.kind === 'CLASSES') g.output('probabilities', said);
  else {
    // Restored in double: a float32 product would cost digits of a large target before the cast does.
    const z = op.Cast(said, 'DOUBLE');
    g.output('value', op.Cast(op.Add(op.Mul(z, targets.restore.scale), targets.restore.center), 'FLOAT'));
  }
  const metadata = new Map([
    ['anneal.task', spec.task],
    ['anneal.inputs', JSON.stringify(rawInputs(recipe))],
    ['anneal.target', spec.target],
    ['anneal.classes', JSON.stringify(spec.classes)],
    ['anneal.positive_class', JSON.stringify(spec.positiveClass)],
    ['anneal.threshold', JSON.stringify(threshold)],
    ['anneal.dataset_digest', spec.datasetDigest],
    ['anneal.run_spec_digest', specDigestOf(spec)],
  ]);
  return encodeModel(g.model({ metadata }));
}
