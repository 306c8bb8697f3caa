/** From a table and a RunSpec to an artifact with its manifest: the training without its API. */
import { compileTraining } from '../autodiff/compile.ts';
import type { RunSpec, Table } from '../contract.ts';
import type { Examples } from '../data/batches.ts';
import { rawInputs } from '../data/features.ts';
import { RawGraph } from '../data/raw-graph.ts';
import { fitRecipe, type Recipe } from '../data/recipe.ts';
import { rowsOf } from '../data/rows.ts';
import { fitTargets, type Targets } from '../data/targets.ts';
import { type Engine, type Evaluator, Pace } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import type { Claim } from '../worker/operations.ts';
import { type Network, outputWidth, zoo } from '../zoo/index.ts';
import { compileEvaluation } from '../zoo/inference.ts';
import { buildArtifact, buildRecipeGraph } from './artifact.ts';
import type { Progress } from './checkpoint.ts';
import { type EpochReport, fit, type Stop } from './fit.ts';
import { buildManifest } from './manifest.ts';
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
  /** A sign of life. */
  onBeat: () => void;
  /** After each chunk: `epochs` done, with fractions. */
  onStep: (epochs: number) => void;
  onEpoch: (report: EpochReport, progress: Progress) => void;
}

/** Trains and builds the artifact. The steps, in order. */
export async function make(options: MakeOptions): Promise<Made & { stop: Stop; progress: Progress }> {
  const { engine, spec, table, dataset, onBeat } = options;
  const rows = { train: rowsOf(table, 'TRAIN'), validation: rowsOf(table, 'VALIDATION') };
  if (rows.train.length === 0) throw new JobFailure('DATA_MISMATCH', 'the table has no TRAIN rows to learn from');
  const recipe = fitRecipe(table, rows.train, spec);
  const targets = fitTargets(table, rows.train, spec);
  const network = zoo(spec.architecture, {
    inputs: recipe.width,
    outputs: outputWidth(spec.task, spec.classes?.length ?? null),
  });
  const graph = await RawGraph.open(engine, buildRecipeGraph(recipe), rawInputs(recipe));
  const prepare = (part: Uint32Array) => examplesOf(graph, { table, recipe, targets, rows: part, onBeat });
  const examples = await prepare(rows.train);
  const held = await prepare(rows.validation);
  await graph.close();

  const evaluator = await engine.evaluator(compileEvaluation({ network, task: spec.task }));
  const { params, stop, progress } = await trainNetwork(options, { network, examples, held, targets, evaluator });
  const threshold = await thresholdOf(spec, evaluator, params, held);
  await evaluator.close();

  const artifact = buildArtifact({ spec, recipe, network, params, targets, threshold });
  const manifest = buildManifest({ spec, recipe, artifact, threshold, dataset });
  return { artifact, manifest, table, targets, engine, stop, progress };
}

/** Rows as the network sees them, prepared by the very nodes that will stand in the artifact. */
async function examplesOf(
  graph: RawGraph,
  o: { table: Table; recipe: Recipe; targets: Targets; rows: Uint32Array; onBeat: () => void },
): Promise<Examples> {
  const { table, recipe, targets, rows } = o;
  const x = await graph.run(table, rows, o.onBeat);
  const y =
    targets.kind === 'CLASSES'
      ? Int32Array.from(rows, (row) => targets.labels[row] ?? -1)
      : Float32Array.from(rows, (row) => targets.z[row] ?? Number.NaN);
  return { count: rows.length, width: recipe.width, x, y };
}

async function trainNetwork(
  options: MakeOptions,
  o: { network: Network; examples: Examples; held: Examples; targets: Targets; evaluator: Evaluator },
) {
  const { engine, spec, onStep, onEpoch } = options;
  const { network, examples, held, targets, evaluator } = o;
  const batchSize = Math.min(spec.batchSize ?? examples.count, examples.count);
  const program = compileTraining({ network, loss: spec.loss, optimizer: spec.optimizer, batchSize });
  const trainer = await engine.trainer(program);
  const state = initialState(program, network.initialise(Random.from(spec.seed, 'init')));
  const from = options.from ?? { state, epoch: 0, best: null, seconds: 0 };
  const judge = async (params: Float32Array) => judged(await evaluator.run(params, held.x), held, targets);
  const validate = held.count > 0 ? judge : null;
  const pace = Pace.of(program);
  const fitted = await fit({ spec, trainer, pace, examples, batchSize, validate, from, onStep, onEpoch });
  await trainer.close();
  if (!fitted.params.every(Number.isFinite))
    throw new JobFailure('DIVERGED', `Parameters are no finite numbers after step ${fitted.progress.state.step}.`);
  return fitted;
}

function judged({ logits }: { logits: Float32Array }, { y }: Examples, targets: Targets): Validation {
  if (targets.kind === 'CLASSES' && y instanceof Int32Array) return validateClasses(logits, y, targets.classes.length);
  if (targets.kind === 'VALUES' && y instanceof Float32Array) return validateValues(logits, y, targets.restore.scale);
  throw new Error('targets and examples are of different kinds');
}

/** Chosen on validation rows only; the test rows have not been looked at yet. */
async function thresholdOf(spec: RunSpec, evaluator: Evaluator, params: Float32Array, held: Examples) {
  const positive = spec.classes?.indexOf(spec.positiveClass ?? '') ?? -1;
  if (spec.task !== 'BINARY') return null;
  if (held.count === 0) return chooseThreshold(spec, [], []);
  const { output } = await evaluator.run(params, held.x);
  const scores = Float64Array.from(held.y, (_, row) => output[row * 2 + positive] ?? Number.NaN);
  const truth = Uint8Array.from(held.y, (label) => Number(label === positive));
  return chooseThreshold(spec, scores, truth);
}
