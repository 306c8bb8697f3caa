/** Rows as a finished run leaves them, without training: a model version with its table, predictions and artifact. */
import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Manifest } from '@anneal/edge/contract';
import { EDGE_BUILD, WASM_DIGEST } from '@anneal/edge/engine';
import { encodeTable, PARTS, type Task } from '@anneal/trainer/contract';
import type { Parity, PredictionsFile } from '../../apps/api/src/contract.ts';
import type { Deps } from '../../apps/api/src/deps.ts';
import { toGlobalId } from '../../apps/api/src/domain/ids.ts';

/** What the version answers on the TEST rows, and what was true. */
export type SeedRows =
  | { classes: string[]; truth: number[]; probabilities: number[][]; threshold?: number }
  | { truth: number[]; values: number[] };

export interface SeededVersion {
  /** The row's uuid, and its global id. */
  uuid: string;
  id: string;
  modelName: string;
  number: number;
  artifactDigest: string;
  datasetDigest: string;
  evaluationId: string;
}

/** Train rows that stand before the test rows in the table: predictions must name rows by position, not by order. */
const TRAIN_ROWS = 2;
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** A version of the model (created when absent), made by a run of an experiment of its own. */
export async function seedVersion(
  deps: Deps,
  options: { projectId: string; modelName?: string; target?: string; rows: SeedRows; artifact?: Uint8Array },
): Promise<SeededVersion> {
  const { projectId, rows, modelName = 'iris', target = 'species' } = options;
  const artifact = options.artifact ?? new TextEncoder().encode(`artifact ${randomUUID()}`);
  const keep = async (bytes: Uint8Array) => await deps.blobs.put(Readable.from([bytes]), { maxBytes: 1 << 26 });
  const [table, predictions, { digest: artifactDigest }] = await Promise.all([
    keep(tableOf(rows, target)),
    keep(new TextEncoder().encode(JSON.stringify(predictionsOf(rows)))),
    keep(artifact),
  ]);
  const manifest = manifestOf(rows, target, { digest: artifactDigest, byteLength: artifact.byteLength });
  const model = await deps.prisma.model.upsert({
    where: { projectId_name: { projectId, name: modelName } },
    create: { projectId, name: modelName },
    update: {},
  });
  const run = await seedRun(deps, { projectId, modelId: model.id, manifest, table, rowCount: rows.truth.length });
  await deps.prisma.artifact.upsert({
    where: { digest: artifactDigest },
    create: { digest: artifactDigest, byteLength: BigInt(artifact.byteLength), mediaType: 'application/onnx' },
    update: {},
  });
  const number = 1 + (await deps.prisma.modelVersion.count({ where: { modelId: model.id } }));
  const { task } = manifest;
  const parity: Parity = {
    engine: 'ORT_CPU',
    rows: rows.truth.length,
    maxAbsDiff: 1e-7,
    tolerance: 1e-4,
    labelAgreement: task === 'REGRESSION' ? null : 1,
  };
  const version = await deps.prisma.modelVersion.create({
    data: { modelId: model.id, number, runId: run.id, artifactDigest, manifest, parity },
  });
  const evaluation = await deps.prisma.evaluation.create({
    data: {
      modelVersionId: version.id,
      source: 'HOLDOUT',
      n: rows.truth.length,
      predictionsDigest: predictions.digest,
      datasetDigest: table.digest,
      wasmDigest: WASM_DIGEST,
      edgeBuild: EDGE_BUILD,
    },
  });
  const id = toGlobalId('ModelVersion', version.id);
  const datasetDigest = table.digest;
  return { uuid: version.id, id, modelName, number, artifactDigest, datasetDigest, evaluationId: evaluation.id };
}

async function seedRun(
  deps: Deps,
  input: {
    projectId: string;
    modelId: string;
    manifest: Manifest;
    table: { digest: string; byteLength: number };
    rowCount: number;
  },
) {
  const { projectId, modelId, manifest, table, rowCount } = input;
  const dataset = await deps.prisma.dataset.create({ data: { projectId, name: `seed ${randomUUID()}` } });
  const datasetVersion = await deps.prisma.datasetVersion.create({
    data: {
      datasetId: dataset.id,
      number: 1,
      digest: table.digest,
      byteLength: BigInt(table.byteLength),
      format: 'CSV',
      target: manifest.target,
      task: manifest.task,
      rowCount: rowCount + TRAIN_ROWS,
      classes: manifest.classes ?? [],
      columns: [],
      balance: [],
      split: {},
      findings: [],
      missingValues: [],
      sources: [],
    },
  });
  const experiment = await deps.prisma.experiment.create({
    data: {
      projectId,
      modelId,
      datasetVersionId: datasetVersion.id,
      name: 'seed',
      task: manifest.task,
      objective: manifest.task === 'REGRESSION' ? 'RMSE' : 'ACCURACY',
    },
  });
  const specDigest = sha256(randomUUID());
  return await deps.prisma.run.create({
    data: {
      ...{ projectId, experimentId: experiment.id, status: 'SUCCEEDED', seed: 1n, spec: {}, specDigest },
      ...{ attempt: 1, progress: 1 },
    },
  });
}

function taskOf(rows: SeedRows): Task {
  if (!('classes' in rows)) return 'REGRESSION';
  return rows.classes.length === 2 ? 'BINARY' : 'MULTICLASS';
}

function tableOf(rows: SeedRows, target: string): Uint8Array {
  const truth = [...rows.truth.slice(0, 1), ...rows.truth.slice(0, 1), ...rows.truth];
  const classes = 'classes' in rows ? rows.classes : null;
  return encodeTable({
    rowCount: truth.length,
    columns: [{ name: 'x', kind: 'NUMERIC', values: Float64Array.from(truth, (_, i) => i) }],
    target: {
      name: target,
      classes,
      codes: classes ? Int32Array.from(truth) : null,
      values: classes ? null : Float64Array.from(truth),
    },
    rows: Uint32Array.from(truth, (_, i) => i),
    split: Uint8Array.from(truth, (_, i) => PARTS.indexOf(i < TRAIN_ROWS ? 'TRAIN' : 'TEST')),
  });
}

function predictionsOf(rows: SeedRows): PredictionsFile {
  const positions = rows.truth.map((_, i) => i + TRAIN_ROWS);
  if ('values' in rows) return { formatVersion: 1, kind: 'VALUES', rows: positions, values: rows.values };
  const { classes, probabilities, threshold = 0.5 } = rows;
  const largest = (row: number[]) => row.indexOf(Math.max(...row));
  const binary = (row: number[]) => ((row[1] ?? 0) >= threshold ? 1 : 0);
  const labels = probabilities.map(classes.length === 2 ? binary : largest);
  return { formatVersion: 1, kind: 'CLASSES', rows: positions, classes, probabilities, labels };
}

function manifestOf(rows: SeedRows, target: string, artifact: Manifest['artifact']): Manifest {
  const task = taskOf(rows);
  const classes = 'classes' in rows ? rows.classes : null;
  return {
    formatVersion: 1,
    task,
    artifact,
    columns: [{ name: 'x', kind: 'NUMERIC', used: true }],
    target,
    missingValues: ['?'],
    classes,
    positiveClass: task === 'BINARY' ? (classes?.[1] ?? null) : null,
    threshold: task === 'BINARY' && 'classes' in rows ? (rows.threshold ?? 0.5) : null,
    inputs: [{ name: 'x', column: 'x', type: 'double' }],
    output: task === 'REGRESSION' ? 'value' : 'probabilities',
  };
}
