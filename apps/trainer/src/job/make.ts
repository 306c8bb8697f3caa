/** From a table and a RunSpec to an artifact with its manifest: the training without its API. */
import type { RunSpec, Table } from '../contract.ts';
import { type Examples, lengthOf, type Source, sourceOf } from '../data/examples.ts';
import { rawInputs } from '../data/features.ts';
import { RawGraph } from '../data/raw-graph.ts';
import { fitRecipe, inputOf, type Recipe } from '../data/recipe.ts';
import { rowsOf } from '../data/rows.ts';
import { fitTargets, type Targets } from '../data/targets.ts';
import type { Engine } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import type { Claim } from '../worker/operations.ts';
import { type Network, outputWidth, type Weights, zoo } from '../zoo/index.ts';
import { buildArtifact, buildRecipeGraph } from './artifact.ts';
import type { Progress } from './checkpoint.ts';
import { type EpochReport, fit, type Stop } from './fit.ts';
import { buildManifest } from './manifest.ts';
import { Programs } from './programs.ts';
import type { Made } from './publish.ts';
import { chooseThreshold } from './threshold.ts';
import { type Validation, validateClasses, validateValues } from './validate.ts';

/** What decides the artifact, and who listens while it is made. */
export interface MakeOptions {
  engine: Engine;
  spec: RunSpec;
  table: Table;
  /** What the manifest says of columns that the network does not read. */
  dataset: Pick<Claim, 'columns' | 'missingValues'>;
  /** State to go on from. */
  from: Progress | null;
  /** Before each epoch; throws when the training shall end here, without a model. */
  goOn?: (progress: Progress) => Promise<void>;
  /** A sign of life. */
  onBeat: () => void;
  /** After each chunk: `epochs` done, with fractions, and optimiser steps. */
  onStep: (epochs: number, steps: number) => void;
  onEpoch: (report: EpochReport, progress: Progress) => void;
}

/** Trains and builds the artifact. The steps, in order. */
export async function make(options: MakeOptions): Promise<Made & { stop: Stop; progress: Progress }> {
  const { engine, spec, table, dataset, onBeat } = options;
  const rows = { train: rowsOf(table, 'TRAIN'), validation: rowsOf(table, 'VALIDATION') };
  if (rows.train.length === 0) throw new JobFailure('DATA_MISMATCH', 'the table has no TRAIN rows to learn from');
  const recipe = fitRecipe(table, rows.train, spec);
  const targets = fitTargets(table, rows.train, spec);
  const outputs = outputWidth(spec.task, spec.classes?.length ?? null);
  const network = zoo(spec.architecture, { input: inputOf(recipe), outputs });
  const prepare = (part: Uint32Array) => examplesOf(engine, { table, recipe, targets, rows: part, onBeat });
  const examples = await prepare(rows.train);
  const held = await prepare(rows.validation);

  const batchSize = batchSizeOf(spec, examples.count);
  const { loss, lossSettings, optimizer, clipNorm, accumulate, ema, seed, task } = spec;
  const how = { loss, lossSettings, optimizer, batchSize, clipNorm, accumulate, ema, seed };
  const programs = new Programs(engine, { network, task, ...how });
  const training = { network, examples, held, targets, programs, batchSize };
  const { weights, stop, progress } = await trainNetwork(options, training);
  const threshold = await thresholdOf(spec, programs, weights, held);
  await programs.close();

  const artifact = buildArtifact({ spec, recipe, network, weights, targets, threshold });
  const manifest = buildManifest({ spec, recipe, artifact, threshold, dataset });
  return { artifact, manifest, table, targets, engine, stop, progress };
}

/** Rows per step: never more than there are, and so many that the parts of a step are of one size. */
function batchSizeOf({ batchSize, accumulate = 1 }: RunSpec, count: number): number {
  return Math.ceil(Math.min(batchSize ?? count, count) / accumulate) * accumulate;
}

/** Rows with their targets, as the network will see them. */
async function examplesOf(
  engine: Engine,
  o: { table: Table; recipe: Recipe; targets: Targets; rows: Uint32Array; onBeat: () => void },
): Promise<Examples> {
  const { recipe, table, targets, rows } = o;
  const source = recipe.kind === 'FEATURES' ? await features(engine, o) : sourceOf(table, recipe, rows);
  const y =
    targets.kind === 'CLASSES'
      ? Int32Array.from(rows, (row) => targets.labels[row] ?? -1)
      : Float32Array.from(rows, (row) => targets.z[row] ?? Number.NaN);
  return { count: rows.length, source, y };
}

/** A table's columns, prepared once by the very nodes that will stand in the artifact. */
async function features(
  engine: Engine,
  { table, recipe, rows, onBeat }: { table: Table; recipe: Recipe; rows: Uint32Array; onBeat: () => void },
): Promise<Source> {
  const graph = await RawGraph.open(engine, buildRecipeGraph(recipe), rawInputs(recipe));
  const x = await graph.run(table, rows, onBeat);
  await graph.close();
  return { kind: 'FEATURES', width: rows.length > 0 ? x.length / rows.length : 0, x };
}

async function trainNetwork(
  options: MakeOptions,
  o: {
    network: Network;
    examples: Examples;
    held: Examples;
    targets: Targets;
    programs: Programs;
    batchSize: number;
  },
) {
  const { engine, spec, goOn, onStep, onEpoch } = options;
  const { network, examples, held, targets, programs, batchSize } = o;
  const { program } = await programs.trainer(lengthOf(examples.source, 0));
  const state = initialState(program, network.initialise(Random.from(spec.seed, 'init')));
  const from = options.from ?? { state, epoch: 0, best: null, seconds: 0 };
  const judge = async (weights: Weights) => judged(await programs.evaluate(weights, held), held, targets);
  const validate = held.count > 0 ? judge : null;
  const { hold } = engine;
  const fitted = await fit({ spec, programs, hold, examples, batchSize, validate, from, goOn, onStep, onEpoch });
  if (!fitted.weights.params.every(Number.isFinite))
    throw new JobFailure('DIVERGED', `Parameters are no finite numbers after step ${fitted.progress.state.step}.`);
  return fitted;
}

function judged({ logits }: { logits: Float32Array }, { y }: Examples, targets: Targets): Validation {
  if (targets.kind === 'CLASSES' && y instanceof Int32Array) return validateClasses(logits, y, targets.classes.length);
  if (targets.kind === 'VALUES' && y instanceof Float32Array) return validateValues(logits, y, targets.restore.scale);
  throw new Error('targets and examples are of different kinds');
}

/** Chosen on validation rows only; the test rows have not been looked at yet. */
async function thresholdOf(spec: RunSpec, programs: Programs, weights: Weights, held: Examples) {
  const positive = spec.classes?.indexOf(spec.positiveClass ?? '') ?? -1;
  if (spec.task !== 'BINARY') return null;
  if (held.count === 0) return chooseThreshold(spec, [], []);
  const { output } = await programs.evaluate(weights, held);
  const scores = Float64Array.from(held.y, (_, row) => output[row * 2 + positive] ?? Number.NaN);
  const truth = Uint8Array.from(held.y, (label) => Number(label === positive));
  return chooseThreshold(spec, scores, truth);
}
