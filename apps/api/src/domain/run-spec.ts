/**
 * From a question to a complete RunSpec: every default in one place, with its reason. Pure; knows no table of the
 * database. What a spec is, the trainer says (trainer/contract).
 */
import {
  Architecture,
  EngineChoice,
  type Feature,
  type Loss,
  Objective,
  type Optimizer,
  RunSpec,
  Task,
} from '@anneal/trainer/contract';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import type { StoredColumn } from './dataset-columns.ts';

const Hyperparameters = z.object({
  optimizer: z.enum(['SGD', 'ADAMW']).nullish(),
  learningRate: z.number().positive().max(1000).nullish(),
  momentum: z.number().min(0).lt(1).nullish(),
  weightDecay: z.number().min(0).max(1000).nullish(),
  batchSize: z.int().min(1).max(1_000_000).nullish(),
});
const Budget = z.object({
  maxEpochs: z.int().min(1).max(100_000).nullish(),
  maxSeconds: z.number().positive().max(1_000_000).nullish(),
  patience: z.int().min(1).max(100_000).nullish(),
});

/** What an experiment may say of its runs; the rest is chosen here. null and absent differ where null means off. */
export const SpecInput = z.object({
  task: Task.nullish(),
  target: z.string().nullish(),
  objective: Objective.nullish(),
  architecture: Architecture.nullish(),
  hyperparameters: Hyperparameters.nullish(),
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
}

/** A complete spec. @throws UserError naming the field of the input that does not fit the data. */
export function completeSpec(data: SpecData, input: SpecInput): RunSpec {
  const task = taskOf(data, input);
  const classes = task === 'REGRESSION' ? null : data.classes;
  const features = featuresOf(data.columns);
  const usual = usualFor(data.trainRows);
  const architecture = input.architecture ?? { mlp: { hidden: usual.hidden } };
  checkSize(data.columns, features, architecture, task === 'MULTICLASS' ? data.classes.length : 1);
  return RunSpec.parse({
    formatVersion: 1,
    datasetDigest: data.digest,
    task,
    target: data.target,
    classes,
    positiveClass: positiveClassOf(task, data.classes, input.positiveClass),
    features,
    architecture,
    loss: LOSSES[task],
    optimizer: optimizerOf(input, usual.learningRate),
    batchSize: given(input.hyperparameters?.batchSize, usual.batchSize),
    preprocessing: input.preprocessing ?? 'AUTO',
    objective: objectiveOf(task, input.objective),
    engine: input.engine ?? 'AUTO',
    // One thread: for networks of this size more only add waiting, and the bytes do not depend on the machine's cores.
    threads: input.threads ?? 1,
    seed: input.seed ?? 0,
    budget: {
      maxEpochs: input.budget?.maxEpochs ?? usual.maxEpochs,
      maxSeconds: input.budget?.maxSeconds ?? null,
      patience: given(input.budget?.patience, usual.patience),
    },
  } satisfies RunSpec);
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

function usualFor(trainRows: number) {
  const { hidden, ...usual } = USUAL.find(({ below }) => trainRows < below) ?? LARGE;
  return { ...usual, hidden: [...hidden] };
}

/** What was given, null included (it means off, or the whole split), else the usual. */
const given = <T>(value: T | null | undefined, usual: T): T | null => (value === undefined ? usual : value);

const LOSSES: Record<Task, Loss> = {
  BINARY: 'BCE_WITH_LOGITS',
  MULTICLASS: 'SOFTMAX_CROSS_ENTROPY',
  REGRESSION: 'MSE',
};

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

/** Text, ignored and constant columns are left out: they say nothing that a network of today could use. */
function featuresOf(columns: StoredColumn[]): Feature[] {
  const features = columns.flatMap(({ name, kind, role, reason, inferred }): Feature[] => {
    if (role === 'TARGET' || (reason === 'CONSTANT' && inferred)) return [];
    return kind === 'NUMERIC' || kind === 'CATEGORICAL' ? [{ name, kind }] : [];
  });
  if (features.length) return features;
  throw new UserError(
    'NO_FEATURES',
    'No column can be learned from: all are text, identifiers, constant or ignored. Commit a version with other kinds.',
    ['datasetVersionId'],
  );
}

/** AdamW needs no tuning on standardised inputs; SGD is plain unless momentum is asked for. */
function optimizerOf({ hyperparameters }: SpecInput, usualRate: number): Optimizer {
  const { optimizer, learningRate, momentum, weightDecay } = hyperparameters ?? {};
  if (optimizer === 'SGD')
    return {
      kind: 'SGD',
      learningRate: learningRate ?? 0.01,
      momentum: momentum ?? 0,
      weightDecay: weightDecay ?? 0,
    };
  if (momentum != null)
    throw new UserError('INVALID_INPUT', 'momentum belongs to SGD; ADAMW has its own moments.', [
      'hyperparameters',
      'momentum',
    ]);
  return {
    kind: 'ADAMW',
    learningRate: learningRate ?? usualRate,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: weightDecay ?? 0.01,
  };
}

/** What the edge can hold beside its runtime. */
const MAX_PARAMETER_BYTES = 24 * 2 ** 20;
/** The trainer gives at most this many categories a slot of their own (trainer/src/data/recipe.ts). */
const MAX_CATEGORIES = 100;

function checkSize(columns: StoredColumn[], features: Feature[], { mlp }: Architecture, outputs: number): void {
  const profiles = new Map(columns.map(({ name, profile }) => [name, profile]));
  const inputs = features.reduce((sum, { name, kind }) => {
    const { missing = 0, distinct = null } = profiles.get(name) ?? {};
    const mayMiss = missing > 0 ? 1 : 0; // an indicator, or a category of its own
    if (kind === 'NUMERIC') return sum + 1 + mayMiss;
    return sum + 1 + Math.min(MAX_CATEGORIES, (distinct ?? MAX_CATEGORIES) + mayMiss);
  }, 0);
  const widths = [inputs, ...mlp.hidden, outputs];
  const parameters = widths.slice(1).reduce((sum, width, i) => sum + ((widths[i] ?? 0) + 1) * width, 0);
  if (parameters * 4 <= MAX_PARAMETER_BYTES) return;
  throw new UserError(
    'MODEL_TOO_LARGE',
    `The network has about ${parameters.toLocaleString('en')} parameters (${inputs} inputs after one-hot), ` +
      `${((parameters * 4) / 2 ** 20).toFixed(1)} MiB; the edge takes 24 MiB. Choose smaller hidden layers.`,
    ['architecture'],
  );
}
