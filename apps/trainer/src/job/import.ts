/**
 * Importing a model from elsewhere, as a readable list of steps: the file becomes an artifact that the edge serves, a
 * manifest, and a report of what was found and changed. Everything runs in the edge's own runtime. Knows no API. Same
 * bytes in, same bytes out.
 */
import type { ImportReport, PredictionsFile } from '@anneal/api/contract';
import { Manifest, TensorManifest } from '@anneal/edge/contract';
import { isOutOfMemory, OrtError, type OrtSession } from '@anneal/edge/engine';
import { PredictError } from '@anneal/edge/predict';
import type { ImportSpec, Table } from '../contract.ts';
import { rowsOf } from '../data/rows.ts';
import { JobFailure } from '../failure.ts';
import { expectSound, expectTensors, readModel } from '../import/accept.ts';
import { type Plan, planColumns } from '../import/columns.ts';
import { madeWhenNeeded, withoutDefaults } from '../import/constants.ts';
import { freedBatch } from '../import/free.ts';
import { opsetOf, requiredInputs } from '../import/nodes.ts';
import { modernised } from '../import/opset.ts';
import { type Found, type Probed, probe, sameRowByRow } from '../import/probe.ts';
import { withoutPublished } from '../import/published.ts';
import { expectSignature, labelled, manifestTensor } from '../import/signature.ts';
import { wrapped } from '../import/wrap.ts';
import { withoutZipMaps } from '../import/zip-map.ts';
import { encodeModel } from '../ir/encode.ts';
import type { Model, ValueInfo } from '../ir/types.ts';
import { predictAtEdge } from '../parity/edge.ts';
import { sha256 } from './digest.ts';
import { expectSmall, type Loaded, load, refusalOf, type StartRuntime, tooLarge } from './edge-load.ts';
import { predictionsFile } from './publish.ts';

/** What an import is made from. */
export interface ImportParts {
  /** The file. */
  bytes: Uint8Array;
  spec: ImportSpec;
  /** The data to evaluate on. */
  table: Table | null;
  runtime: StartRuntime;
  /** A sign of life, with the share that is done. */
  beat: (progress: number) => void;
}

/** What an import makes. */
export interface Imported {
  artifact: Uint8Array;
  manifest: Manifest | TensorManifest;
  report: ImportReport;
  /** Of all TEST rows; null without data. */
  predictions: PredictionsFile | null;
}

/** A model on its way, with all that was done to it. */
interface Candidate {
  model: Model;
  /** As it came, as long as nothing was changed. */
  bytes: Uint8Array;
  changes: string[];
}

/** Makes an artifact of an ONNX file. @throws JobFailure with the exact reason of a refusal */
export async function importModel({ bytes, spec, table, runtime, beat }: ImportParts): Promise<Imported> {
  const source = readModel(bytes);
  const { candidate: sound, labels } = converted(source, bytes);
  beat(0.1);
  await expectSmall(runtime, sound.bytes);
  let { candidate, loaded } = await loadable(runtime, sound);
  beat(0.3);
  const freed = await withFreeBatch(runtime, candidate, loaded.session);
  if (freed) ({ candidate, loaded } = freed);
  beat(0.5);
  const probed = await probing(runtime, candidate, loaded.session);
  beat(0.7);
  expectSignature(spec.signature, probed);
  let manifest: Manifest | TensorManifest;
  if (spec.preprocessing || spec.data) {
    const plan = planColumns(spec, probed, candidate.model, labels);
    const rows = wrapped(candidate.model, plan);
    candidate = changed(candidate, rows.model, plan.changes);
    loaded = await again(runtime, candidate);
    await probing(runtime, candidate, loaded.session);
    manifest = rowManifest(plan, rows.inputs, candidate.bytes);
  } else manifest = tensorManifest(probed, spec, labels, candidate.bytes);
  beat(0.8);
  const heapBytes = loaded.runtime.heapBytes - loaded.emptyBytes;
  const predictions = table ? predictTest(loaded, { artifact: candidate.bytes, manifest, table, beat }) : null;
  const report: ImportReport = {
    filename: spec.source.filename,
    sourceDigest: sha256(bytes),
    format: 'ONNX',
    opset: { source: opsetOf(source), served: opsetOf(candidate.model) },
    changes: candidate.changes,
    heapBytes,
    shapes: shapesOf(source, probed),
  };
  return { artifact: candidate.bytes, manifest, report, predictions };
}

function changed(before: Candidate, model: Model, changes: readonly string[]): Candidate {
  if (model === before.model) return before;
  return { model, bytes: encodeModel(model), changes: [...before.changes, ...changes] };
}

/** The model as the edge's runtime can have it. @throws JobFailure */
function converted(source: Model, bytes: Uint8Array) {
  const modern = modernised(source);
  const plain = withoutZipMaps(modern.model);
  const fixed = withoutDefaults(plain.model);
  expectTensors(fixed.model, requiredInputs(fixed.model));
  const changes = [...modern.changes, ...plain.changes, ...fixed.changes];
  return { candidate: changed({ model: source, bytes, changes: [] }, fixed.model, changes), labels: plain.labels };
}

/**
 * Loads it: as it is, or without declared shapes that contradict it; where its constants fill the heap, without
 * computing them beforehand. @throws JobFailure
 */
async function loadable(start: StartRuntime, given: Candidate): Promise<{ candidate: Candidate; loaded: Loaded }> {
  const bare = (['RESULTS', 'ALL'] as const).map((what) => withoutPublished(given.model, what));
  let refusal: unknown;
  for (const { model, changes } of [{ model: given.model, changes: [] }, ...bare]) {
    const candidate = changed(given, model, changes);
    try {
      expectSound(model);
      return { candidate, loaded: await load(start, candidate.bytes) };
    } catch (error) {
      if (isOutOfMemory(error)) return lazily(start, candidate);
      if (!(error instanceof OrtError || error instanceof JobFailure)) throw error;
      refusal ??= refusalOf(error, 'the edge could not load the model');
    }
  }
  throw refusal;
}

async function lazily(start: StartRuntime, candidate: Candidate): Promise<{ candidate: Candidate; loaded: Loaded }> {
  const lazy = madeWhenNeeded(candidate.model);
  if (!lazy) throw await tooLarge(start, candidate.bytes);
  const smaller = changed(candidate, lazy.model, lazy.changes);
  return { candidate: smaller, loaded: await again(start, smaller) };
}

async function again(start: StartRuntime, { bytes }: Candidate): Promise<Loaded> {
  await expectSmall(start, bytes);
  try {
    return await load(start, bytes);
  } catch (error) {
    if (isOutOfMemory(error)) throw await tooLarge(start, bytes);
    throw refusalOf(error, 'the edge could not load the model');
  }
}

/** The model for batches of any size, if its rows do not depend on each other; null if they do or if it is free. */
async function withFreeBatch(start: StartRuntime, candidate: Candidate, fixed: OrtSession) {
  const guess = freedBatch(candidate.model);
  if (!guess) return null;
  const change = `batch of ${guess.batch} became one of any size: rows give the same answers alone and together`;
  const free = changed(candidate, guess.model, [change]);
  try {
    const loaded = await load(start, free.bytes);
    if (sameRowByRow(fixed, loaded.session, guess.batch)) return { candidate: free, loaded };
  } catch (error) {
    if (!(error instanceof OrtError)) throw error; // a guess that does not load was wrong
  }
  return null;
}

async function probing(start: StartRuntime, { bytes }: Candidate, session: OrtSession): Promise<Probed> {
  try {
    return probe(session);
  } catch (error) {
    if (isOutOfMemory(error)) throw await tooLarge(start, bytes);
    throw refusalOf(error, 'the edge could not run the model on zeros or ones');
  }
}

function tensorManifest(
  { inputs, outputs }: Probed,
  spec: ImportSpec,
  labels: ReadonlyMap<string, readonly string[]>,
  artifact: Uint8Array,
): TensorManifest {
  return TensorManifest.parse({
    formatVersion: 1,
    kind: 'TENSORS',
    artifact: { digest: sha256(artifact), byteLength: artifact.byteLength },
    inputs: inputs.map(manifestTensor),
    outputs: labelled(outputs, spec.labels, labels),
  });
}

function rowManifest(plan: Plan, inputs: Manifest['inputs'], artifact: Uint8Array): Manifest {
  const { task, columns, target, classes, positiveClass, threshold } = plan;
  return Manifest.parse({
    formatVersion: 1,
    task,
    artifact: { digest: sha256(artifact), byteLength: artifact.byteLength },
    columns,
    target,
    missingValues: [],
    classes,
    positiveClass,
    threshold,
    inputs,
    output: classes ? 'probabilities' : 'value',
  });
}

/** All TEST rows through the edge's code. @throws JobFailure where the model has no answer for one */
function predictTest(
  { runtime, session }: Loaded,
  o: {
    artifact: Uint8Array;
    manifest: Manifest | TensorManifest;
    table: Table;
    beat: ImportParts['beat'];
  },
): PredictionsFile | null {
  const { artifact, manifest, table, beat } = o;
  if ('kind' in manifest) return null;
  const rows = rowsOf(table, 'TEST');
  session.release(); // the heap has room for one of them
  try {
    const said = predictAtEdge(runtime, { artifact, manifest, table, rows, beat: () => beat(0.9) });
    return predictionsFile(manifest, rows, said);
  } catch (error) {
    if (error instanceof PredictError)
      throw new JobFailure(
        'MODEL_DOES_NOT_RUN',
        `the model has no answer for a TEST row (${error.message}): missing values reach it as NaN. ` +
          'Evaluate on data without them, or on none',
      );
    throw refusalOf(error, 'the edge could not run the model on the TEST rows');
  }
}

function shapesOf(source: Model, { inputs, outputs }: Probed): ImportReport['shapes'] {
  const of = (kind: 'INPUT' | 'OUTPUT', infos: readonly ValueInfo[]) => (found: Found) => ({
    name: found.name,
    kind,
    declared: declaredShape(infos.find(({ name }) => name === found.name)),
    found: found.shape,
  });
  return [...inputs.map(of('INPUT', source.graph.inputs)), ...outputs.map(of('OUTPUT', source.graph.outputs))];
}

function declaredShape(info: ValueInfo | undefined): number[] | null {
  if (info?.type?.kind !== 'TENSOR') return null;
  return info.type.shape?.map((dim) => (typeof dim === 'number' ? dim : -1)) ?? null;
}
