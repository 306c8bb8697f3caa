/** The manifest: how a client's raw row becomes a prediction of this artifact. Pure. */
import { Manifest, type ManifestColumn } from '@anneal/edge/contract';
import type { RunSpec } from '../contract.ts';
import { rawInputs } from '../data/features.ts';
import type { Recipe } from '../data/recipe.ts';
import { JobFailure } from '../failure.ts';
import type { Claim } from '../worker/operations.ts';
import { sha256 } from './digest.ts';

/** Describes an artifact to the edge: every column of the dataset but the target, used or not. @throws JobFailure */
export function buildManifest(o: {
  spec: RunSpec;
  recipe: Recipe;
  artifact: Uint8Array;
  threshold: number | null;
  dataset: Pick<Claim, 'columns' | 'missingValues'>;
}): Manifest {
  const { spec, recipe, artifact, threshold, dataset } = o;
  const read = readBy(recipe);
  const used = new Set(spec.features.map((feature) => feature.name));
  const absent = spec.features.find((feature) => !dataset.columns.some((column) => column.name === feature.name));
  if (absent)
    throw new JobFailure('DATA_MISMATCH', `feature "${absent.name}": the dataset version has no column of that name`);
  const columns = dataset.columns
    .filter((column) => column.name !== spec.target)
    .map(({ name, kind, values }): ManifestColumn => {
      const renamed = values && values.length > 0 ? { values } : {};
      return { name, kind, used: used.has(name), ...read.get(name), ...renamed };
    });
  return Manifest.parse({
    formatVersion: 1,
    task: spec.task,
    artifact: { digest: sha256(artifact), byteLength: artifact.byteLength },
    columns,
    target: spec.target,
    missingValues: dataset.missingValues,
    classes: spec.classes,
    positiveClass: spec.task === 'BINARY' ? spec.positiveClass : null,
    threshold,
    inputs: rawInputs(recipe),
    output: spec.task === 'REGRESSION' ? 'value' : 'probabilities',
  });
}

/** What the edge must know of a column to read it, by name. */
function readBy(recipe: Recipe): Map<string, Partial<ManifestColumn>> {
  switch (recipe.kind) {
    case 'TENSOR':
      return new Map([[recipe.name, { shape: recipe.shape }]]);
    case 'TOKENS':
      return new Map([[recipe.name, { maxLength: recipe.maxLength, vocabulary: recipe.vocabulary }]]);
    case 'FEATURES':
      return new Map(
        recipe.categorical.map((c) => [c.name, { categories: c.categories.filter((text) => text !== '') }]),
      );
  }
}
