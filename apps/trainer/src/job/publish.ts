/**
 * Publishing: the held-out rows through the edge's code, the gate, the uploads, and the one write that makes a version.
 * Nothing is written before the gate has been passed.
 */
import type { Parity, PredictionsFile } from '@anneal/api/contract';
import type { Manifest, Prediction } from '@anneal/edge/contract';
import { EDGE_BUILD, type OrtRuntime, WASM_DIGEST } from '@anneal/edge/engine';
import type { Table } from '../contract.ts';
import { RawGraph } from '../data/raw-graph.ts';
import { rowsOf } from '../data/rows.ts';
import type { Targets } from '../data/targets.ts';
import type { Engine } from '../engine/index.ts';
import { compareClasses, compareValues } from '../parity/compare.ts';
import { asClass, labelIndex, labelsAtEdge, predictAtEdge } from '../parity/edge.ts';
import type { Api } from '../worker/api.ts';
import { type Attempt, completeRun, upload } from '../worker/operations.ts';

/** What training made: enough to predict with and to be judged by. */
export interface Made {
  artifact: Uint8Array<ArrayBuffer>;
  manifest: Manifest;
  table: Table;
  targets: Targets;
  engine: Engine;
}

/** Predicts all TEST rows at the edge and compares them with the training engine. @throws JobFailure PARITY_FAILED. */
export async function evaluateAtEdge(
  runtime: OrtRuntime,
  made: Made,
  beat: () => void,
): Promise<{ predictions: PredictionsFile; parity: Parity }> {
  const { artifact, manifest, table, targets, engine } = made;
  const rows = rowsOf(table, 'TEST');
  const graph = await RawGraph.open(engine, artifact, manifest.inputs);
  const trained = await graph.run(table, rows, beat);
  await graph.close();
  const said = predictAtEdge(runtime, { artifact, manifest, table, rows, beat });
  const predictions = predictionsFile(manifest, rows, said);
  if (predictions.kind === 'VALUES' && targets.kind === 'VALUES') {
    const parity = compareValues({ engine: engine.name, edge: predictions.values, trained }, targets.restore);
    return { predictions, parity };
  }
  if (predictions.kind !== 'CLASSES') throw new Error('the artifact says values where classes were trained');
  const labels = { edge: predictions.labels, trained: labelsAtEdge(manifest, trained) };
  const parity = compareClasses(
    { engine: engine.name, edge: predictions.probabilities.flat(), trained },
    labels,
    manifest,
  );
  return { predictions, parity };
}

/** Uploads artifact and predictions and completes the run. Answers the number of the new version. */
export async function publish(
  api: Api,
  attempt: Attempt,
  made: Made,
  evaluated: { predictions: PredictionsFile; parity: Parity; score: number | null },
): Promise<number> {
  const { runId } = attempt;
  const predictions = new TextEncoder().encode(JSON.stringify(evaluated.predictions));
  const [artifactToken, predictionsToken] = await Promise.all([
    upload(api, { filename: 'model.onnx', mediaType: 'application/octet-stream', bytes: made.artifact, runId }),
    upload(api, { filename: 'predictions.json', mediaType: 'application/json', bytes: predictions, runId }),
  ]);
  const { number } = await completeRun(api, {
    ...attempt,
    artifactToken,
    predictionsToken,
    manifest: made.manifest,
    parity: evaluated.parity,
    wasmDigest: WASM_DIGEST,
    edgeBuild: EDGE_BUILD,
    score: evaluated.score,
  });
  return number;
}

/** What the edge said of these rows, as the API reads it. */
export function predictionsFile(manifest: Manifest, rows: Uint32Array, said: Prediction[]): PredictionsFile {
  const { classes } = manifest;
  if (!classes) {
    const values = said.map((prediction) => ('value' in prediction ? prediction.value : Number.NaN));
    return { formatVersion: 1, kind: 'VALUES', rows: [...rows], values };
  }
  return {
    formatVersion: 1,
    kind: 'CLASSES',
    rows: [...rows],
    classes,
    probabilities: said.map((prediction) =>
      classes.map((label) => asClass(prediction).probabilities[label] ?? Number.NaN),
    ),
    labels: said.map((prediction) => labelIndex(manifest, prediction)),
  };
}
