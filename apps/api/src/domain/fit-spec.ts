/**
 * How a network is fitted: what an experiment may say of loss, optimizer and schedule, and the part of a RunSpec that
 * comes of it. Pure.
 */
import {
  Loss,
  type LossSettings,
  lossProblem,
  type Optimizer,
  type RunSpec,
  type Task,
} from '@anneal/trainer/contract';
import { z } from 'zod';
import { UserError } from '../errors.ts';

const share = z.number().min(0).lt(1).nullish();

/** How the learning rate changes over the steps. */
export const ScheduleInput = z.object({
  warmupSteps: z.int().min(0).max(1_000_000).nullish(),
  decay: z.enum(['CONSTANT', 'COSINE', 'LINEAR', 'STEP']).nullish(),
  floor: z.number().min(0).max(1).nullish(),
  everyEpochs: z.int().min(1).max(100_000).nullish(),
  factor: z.number().positive().max(1).nullish(),
});

/** What createExperiment may say of the training. */
export const HyperparametersInput = z.object({
  optimizer: z.enum(['SGD', 'ADAM', 'ADAMW', 'LION']).nullish(),
  learningRate: z.number().positive().max(1000).nullish(),
  momentum: share,
  nesterov: z.boolean().nullish(),
  beta1: share,
  beta2: share,
  epsilon: z.number().positive().max(1).nullish(),
  weightDecay: z.number().min(0).max(1000).nullish(),
  batchSize: z.int().min(1).max(1_000_000).nullish(),
  schedule: ScheduleInput.nullish(),
  clipNorm: z.number().positive().nullish(),
  accumulate: z.int().min(1).max(1024).nullish(),
  ema: z.number().gt(0).lt(1).nullish(),
});
export type HyperparametersInput = z.output<typeof HyperparametersInput>;

/** What createExperiment may say of how errors count. Classes go by their labels. */
export const LossInput = z.object({
  kind: Loss.nullish(),
  classWeights: z
    .array(z.object({ label: z.string(), weight: z.number().positive().max(1e6) }))
    .max(10_000)
    .nullish(),
  ignoreClass: z.string().nullish(),
  labelSmoothing: share,
  huberDelta: z.number().positive().nullish(),
  focalGamma: z.number().min(0).max(10).nullish(),
});
export type LossInput = z.output<typeof LossInput>;

const refuse = (message: string, ...field: string[]): never => {
  throw new UserError('INVALID_INPUT', message, field);
};

/** The options that only some optimizers have. */
const OPTIONS = {
  SGD: ['momentum', 'nesterov'],
  ADAM: ['beta1', 'beta2', 'epsilon'],
  ADAMW: ['beta1', 'beta2', 'epsilon'],
  LION: ['beta1', 'beta2'],
} as const;

/** Complete. AdamW needs no tuning on standardised inputs; SGD is plain unless momentum is asked for. */
export function optimizerOf(input: HyperparametersInput | null | undefined, usualRate: number): Optimizer {
  const given = input ?? {};
  const kind = given.optimizer ?? 'ADAMW';
  const known: readonly string[] = OPTIONS[kind];
  for (const option of new Set(Object.values(OPTIONS).flat()))
    if (given[option] != null && !known.includes(option))
      refuse(`${kind} has no ${option}; it has ${known.join(', ')}.`, 'hyperparameters', option);
  const { beta1 = 0.9, beta2, weightDecay } = withoutNulls(given);
  if (kind === 'SGD') {
    const { learningRate = 0.01, momentum = 0, nesterov } = withoutNulls(given);
    if (nesterov && momentum === 0)
      refuse('nesterov looks ahead along the momentum: give momentum too, e.g. 0.9.', 'hyperparameters', 'nesterov');
    return { kind, learningRate, momentum, ...(nesterov && { nesterov }), weightDecay: weightDecay ?? 0 };
  }
  if (kind === 'LION') {
    // Its steps are signs, so they are larger: Chen et al. 2023 (https://arxiv.org/abs/2302.06675) advise a rate 3-10
    // times below AdamW's and a decay as much above.
    const learningRate = given.learningRate ?? usualRate / 5;
    return { kind, learningRate, beta1, beta2: beta2 ?? 0.99, weightDecay: weightDecay ?? 0.05 };
  }
  const common = { learningRate: given.learningRate ?? usualRate, beta1, beta2: beta2 ?? 0.999 };
  const decay = weightDecay ?? (kind === 'ADAMW' ? 0.01 : 0);
  return { kind, ...common, epsilon: given.epsilon ?? 1e-8, weightDecay: decay };
}

/** What a spec says of the fit beyond loss and optimizer; what has no effect is left out. */
export function fitOf(input: HyperparametersInput | null | undefined): Pick<RunSpec, FitKey> {
  const { schedule, clipNorm, accumulate, ema } = withoutNulls(input ?? {});
  return {
    ...(schedule && { schedule: scheduleOf(schedule) }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(accumulate !== undefined && accumulate > 1 && { accumulate }),
    ...(ema !== undefined && { ema }),
  };
}
type FitKey = 'schedule' | 'clipNorm' | 'accumulate' | 'ema';

/** Where STEP decays when it is not told by how much: to a tenth, as ResNet's papers do. */
const STEP_FACTOR = 0.1;

function scheduleOf(input: z.output<typeof ScheduleInput>): NonNullable<RunSpec['schedule']> {
  const { warmupSteps = 0, decay = 'CONSTANT', floor, everyEpochs, factor } = withoutNulls(input);
  const at = ['hyperparameters', 'schedule'];
  const floored = decay === 'COSINE' || decay === 'LINEAR';
  if (!floored && floor !== undefined) refuse('floor belongs to COSINE and LINEAR.', ...at, 'floor');
  if (decay !== 'STEP' && everyEpochs !== undefined) refuse('everyEpochs belongs to STEP.', ...at, 'everyEpochs');
  if (decay !== 'STEP' && factor !== undefined) refuse('factor belongs to STEP.', ...at, 'factor');
  if (floored) return { warmupSteps, decay: { kind: decay, floor: floor ?? 0 } };
  if (decay === 'CONSTANT') return { warmupSteps, decay: { kind: decay } };
  if (everyEpochs === undefined) return refuse('STEP needs everyEpochs: how often to step.', ...at, 'everyEpochs');
  return { warmupSteps, decay: { kind: decay, everyEpochs, factor: factor ?? STEP_FACTOR } };
}

const LOSSES: Record<Task, readonly [Loss, ...Loss[]]> = {
  BINARY: ['BCE_WITH_LOGITS', 'FOCAL'],
  MULTICLASS: ['SOFTMAX_CROSS_ENTROPY', 'FOCAL'],
  REGRESSION: ['MSE', 'HUBER'],
};

/** The loss that the task has when nothing is said, or the one that is asked for, with its settings. */
export function lossOf(
  task: Task,
  classes: readonly string[] | null,
  input: LossInput | null | undefined,
): Pick<RunSpec, 'loss' | 'lossSettings'> {
  const [usual] = LOSSES[task];
  const loss = input?.kind ?? usual;
  if (!LOSSES[task].includes(loss))
    refuse(`For ${task} the loss is ${LOSSES[task].join(' or ')}, not ${loss}.`, 'loss');
  if (!input) return { loss };
  const { labelSmoothing, huberDelta, focalGamma, classWeights, ignoreClass } = withoutNulls(input);
  const lossSettings: LossSettings = {
    ...(classWeights && weightsOf(classes ?? [], classWeights)),
    ...(ignoreClass !== undefined && { ignoreIndex: indexOf(classes ?? [], ignoreClass, 'ignoreClass') }),
    ...(labelSmoothing !== undefined && { labelSmoothing }),
    ...(huberDelta !== undefined && { huberDelta }),
    ...(focalGamma !== undefined && { focalGamma }),
  };
  const problem = lossProblem(loss, lossSettings, classes?.length ?? null);
  if (problem) refuse(problem, 'loss');
  return Object.keys(lossSettings).length > 0 ? { loss, lossSettings } : { loss };
}

/** Of two classes only the ratio counts: the factor of the second one against the first. */
function weightsOf(classes: readonly string[], given: { label: string; weight: number }[]): LossSettings {
  const weights = classes.map(() => 1);
  for (const { label, weight } of given) weights[indexOf(classes, label, 'classWeights')] = weight;
  const [first = 1, second = 1] = weights;
  return classes.length === 2 ? { positiveWeight: second / first } : { classWeights: weights };
}

function indexOf(classes: readonly string[], label: string, field: string): number {
  const index = classes.indexOf(label);
  if (index >= 0) return index;
  const known = classes.length > 0 ? `the classes are ${classes.slice(0, 20).join(', ')}` : 'there are no classes';
  throw new UserError('UNKNOWN_CLASS', `"${label}" is no class: ${known}.`, ['loss', field]);
}

type Present<T> = { [K in keyof T]?: NonNullable<T[K]> };
/** Without what was not given; null and absent mean the same here. */
function withoutNulls<T extends object>(value: T): Present<T> {
  const present: Present<T> = {};
  for (const key in value) if (value[key] != null) present[key] = value[key];
  return present;
}
