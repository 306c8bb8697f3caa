/**
 * From a question to a complete RunSpec: every default in one place, with its reason. Pure; knows no table of the
 * database. What a spec is, the trainer says (trainer/contract).
 */
import {
  aloneOrTabular,
  EngineChoice,
  type Feature,
  networkInputOf,
  Objective,
  RunSpec,
  Task,
} from '@anneal/trainer/contract';
import { type NetworkInput, type NetworkSize, outputWidth } from '@anneal/trainer/zoo';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import {
  ArchitectureInput,
  completeArchitecture,
  sizeForEdge,
  type UsualTraining,
  usualTraining,
} from './architecture.ts';
import type { StoredColumn } from './dataset-columns.ts';
import { fitOf, HyperparametersInput, LossInput, lossOf, optimizerOf } from './fit-spec.ts';

const Budget = z.object({
  maxEpochs: z.int().min(1).max(100_000).nullish(),
  maxSteps: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .nullish(),
  maxSeconds: z.number().positive().max(1_000_000).nullish(),
  patience: z.int().min(1).max(100_000).nullish(),
});

/** What an experiment may say of its runs; the rest is chosen here. null and absent differ where null means off. */
export const SpecInput = z.object({
  task: Task.nullish(),
  target: z.string().nullish(),
  objective: Objective.nullish(),
  architecture: ArchitectureInput.nullish(),
  loss: LossInput.nullish(),
  hyperparameters: HyperparametersInput.nullish(),
  seed: z.int().min(0).nullish(),
  engine: EngineChoice.nullish(),
  budget: Budget.nullish(),
  preprocessing: z.enum(['AUTO', 'NONE']).nullish(),
  positiveClass: z.string().nullish(),
  threads: z.int().min(1).max(64).nullish(),
});
export type SpecInput = z.output<typeof SpecInput>;

/** What a spec needs to know of the dataset version. */
export interface SpecData {
  digest: string;
  target: string;
  task: Task;
  tasks: Task[];
  classes: string[];
  columns: StoredColumn[];
  trainRows: number;
  validationRows: number;
}

/** A complete spec. @throws UserError naming the field of the input that does not fit the data. */
export function completeSpec(data: SpecData, input: SpecInput): RunSpec {
  const task = taskOf(data, input);
  const classes = task === 'REGRESSION' ? null : data.classes;
  const features = featuresOf(data.columns);
  const { hidden, ...ofTable } = usualFor(data.trainRows);
  const architecture = completeArchitecture(input.architecture, { input: inputOf(data.columns, features), hidden });
  const usual: UsualTraining = usualTraining(architecture) ?? ofTable;
  const spec = RunSpec.parse({
    formatVersion: 1,
    datasetDigest: data.digest,
    task,
    target: data.target,
    classes,
    positiveClass: positiveClassOf(task, data.classes, input.positiveClass),
    features,
    architecture,
    ...lossOf(task, classes, input.loss),
    optimizer: optimizerOf(input.hyperparameters, usual.learningRate),
    ...(usual.schedule && input.hyperparameters?.schedule === undefined && { schedule: usual.schedule }),
    ...fitOf(input.hyperparameters),
    batchSize: given(input.hyperparameters?.batchSize, usual.batchSize),
    preprocessing: input.preprocessing ?? 'AUTO',
    objective: objectiveOf(task, input.objective),
    engine: input.engine ?? 'AUTO',
    threads: input.threads ?? usual.threads,
    seed: input.seed ?? 0,
    budget: {
      // Whoever counts in steps does not want to be ended by a default that counts in epochs.
      maxEpochs: input.budget?.maxEpochs ?? (input.budget?.maxSteps == null ? usual.maxEpochs : 100_000),
      ...(input.budget?.maxSteps != null && { maxSteps: input.budget.maxSteps }),
      maxSeconds: input.budget?.maxSeconds ?? null,
      patience: given(input.budget?.patience, usual.patience),
    },
  } satisfies RunSpec);
  sizeOfNetwork(data, spec);
  return spec;
}

/** How large a spec's network is. @throws UserError where it does not fit the data or the edge */
export function sizeOfNetwork({ columns }: SpecData, { architecture, features, task, classes }: RunSpec): NetworkSize {
  return sizeForEdge(architecture, inputOf(columns, features), outputWidth(task, classes?.length ?? null));
}

/**
 * What a table of so many training rows usually needs, measured over six published data sets (bench/accuracy.ts): small
 * ones want few weights and many small steps, large ones more weights and larger batches; patience grows with the
 * noise.
 */
const USUAL = [
  { below: 5000, hidden: [64], learningRate: 3e-3, batchSize: 32, maxEpochs: 200, patience: 30 },
  { below: 200_000, hidden: [128, 64], learningRate: 2e-3, batchSize: 256, maxEpochs: 150, patience: 15 },
] as const;
const LARGE = { hidden: [128, 64], learningRate: 1e-3, batchSize: 512, maxEpochs: 30, patience: 5 } as const;

function usualFor(trainRows: number): UsualTraining & { hidden: number[] } {
  const { hidden, ...usual } = USUAL.find(({ below }) => trainRows < below) ?? LARGE;
  // One thread: for networks of this size more only add waiting.
  return { ...usual, hidden: [...hidden], threads: 1 };
}

/** What was given, null included (it means off, or the whole split), else the usual. */
const given = <T>(value: T | null | undefined, usual: T): T | null => (value === undefined ? usual : value);

function taskOf(data: SpecData, { task, target }: SpecInput): Task {
  if (target != null && target.trim() !== data.target && target.trim() !== 'LAST')
    throw new UserError(
      'TARGET_DIFFERS',
      `The target was fixed at commit: "${data.target}", not "${target}". Commit a version with the other target.`,
      ['target'],
    );
  if (task == null || data.tasks.includes(task)) return task ?? data.task;
  throw new UserError('TASK_MISMATCH', `The target "${data.target}" allows ${data.tasks.join(' or ')}, not ${task}.`, [
    'task',
  ]);
}

/** LOG_LOSS moves with every row of validation, accuracy only when a label flips: steadier for early stopping. */
function objectiveOf(task: Task, objective: Objective | null | undefined): Objective {
  const chosen = objective ?? (task === 'REGRESSION' ? 'RMSE' : 'LOG_LOSS');
  if ((chosen === 'RMSE') === (task === 'REGRESSION')) return chosen;
  const fitting = task === 'REGRESSION' ? 'RMSE' : 'ACCURACY, F1_MACRO or LOG_LOSS';
  throw new UserError('OBJECTIVE_MISMATCH', `For ${task} the objective is ${fitting}, not ${chosen}.`, ['objective']);
}

function positiveClassOf(task: Task, classes: string[], given: string | null | undefined): string | null {
  if (task === 'BINARY' && (given == null || classes.includes(given))) return given ?? classes.at(-1) ?? null;
  if (given == null) return null;
  const problem =
    task === 'BINARY'
      ? `"${given}" is none of the classes ${classes.map((name) => `"${name}"`).join(', ')}.`
      : `Only BINARY has a positive class, this is ${task}.`;
  throw new UserError('UNKNOWN_CLASS', problem, ['positiveClass']);
}

/**
 * Text, ignored and constant columns are left out: they say nothing that a network of today could use. A tensor or a
 * sequence stands alone: which of two columns was meant, only the owner of the data knows.
 */
function featuresOf(columns: StoredColumn[]): Feature[] {
  const features = columns.flatMap((column): Feature[] => {
    const { name, kind, role, reason, inferred, shape, vocabulary, maxLength } = column;
    if (role === 'TARGET' || (reason === 'CONSTANT' && inferred)) return [];
    if (kind === 'TENSOR' && shape) return [{ name, kind, shape }];
    if (kind === 'TOKENS' && vocabulary && maxLength) return [{ name, kind, vocabulary, maxLength }];
    return kind === 'NUMERIC' || kind === 'CATEGORICAL' ? [{ name, kind }] : [];
  });
  if (!aloneOrTabular(features)) throw mixedFeatures(features);
  if (features.length) return features;
  throw new UserError(
    'NO_FEATURES',
    'No column can be learned from: all are text, identifiers, constant or ignored. Commit a version with other kinds.',
    ['datasetVersionId'],
  );
}

function mixedFeatures(features: Feature[]): UserError {
  const named = ({ name }: Feature) => `"${name}"`;
  const alone = features.filter(({ kind }) => kind === 'TENSOR' || kind === 'TOKENS');
  const others = features.filter(({ kind }) => kind === 'NUMERIC' || kind === 'CATEGORICAL').map(named);
  const beside = others.length > 5 ? [...others.slice(0, 5), `${others.length - 5} more`] : others;
  return new UserError(
    'MIXED_FEATURES',
    `A network reads one TENSOR, one TOKENS column, or the columns of a table, not ${alone
      .map((feature) => `${named(feature)} (${feature.kind})`)
      .concat(beside)
      .join(', ')} together. Commit a version in which all but one of them are IGNORE.`,
    ['datasetVersionId'],
  );
}

/** The trainer gives at most this many categories a slot of their own (trainer/src/data/recipe.ts). */
const MAX_CATEGORIES = 100;

/** What the network reads; for a table the width after one-hot, which the trainer may find a little smaller. */
function inputOf(columns: StoredColumn[], features: Feature[]): NetworkInput {
  const alone = networkInputOf(features);
  if (alone) return alone;
  const profiles = new Map(columns.map(({ name, profile }) => [name, profile]));
  const width = features.reduce((sum, { name, kind }) => {
    const { missing = 0, distinct = null } = profiles.get(name) ?? {};
    const mayMiss = missing > 0 ? 1 : 0; // an indicator, or a category of its own
    if (kind === 'NUMERIC') return sum + 1 + mayMiss;
    return sum + 1 + Math.min(MAX_CATEGORIES, (distinct ?? MAX_CATEGORIES) + mayMiss);
  }, 0);
  return { kind: 'FEATURES', width };
}
