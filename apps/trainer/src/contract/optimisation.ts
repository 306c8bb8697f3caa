/** How a network is fitted: losses, optimisers and what goes with them. What they compute, autodiff and optim say. */
import { z } from 'zod';

export const Loss = z.enum(['BCE_WITH_LOGITS', 'SOFTMAX_CROSS_ENTROPY', 'FOCAL', 'MSE', 'HUBER']);
export type Loss = z.infer<typeof Loss>;

/** What a loss may be told; what is left out has no effect. */
export const LossSettings = z.strictObject({
  /** Factor on the rows of class index 1, for a rare class; two classes only. */
  positiveWeight: z.number().positive().optional(),
  /** A factor per class index. */
  classWeights: z.array(z.number().min(0)).min(2).optional(),
  /** Share of each label that is spread over all classes. */
  labelSmoothing: z.number().min(0).lt(1).optional(),
  /** Rows of this class index do not count. */
  ignoreIndex: z.int().optional(),
  /** Where HUBER turns from squares to straight lines; 1 if left out. */
  huberDelta: z.number().positive().optional(),
  /** How fast FOCAL forgets rows that are right already; 2 if left out. */
  focalGamma: z.number().min(0).max(10).optional(),
});
export type LossSettings = z.infer<typeof LossSettings>;

/** The settings that each loss knows. */
const SETTINGS: Readonly<Record<Loss, readonly (keyof LossSettings)[]>> = {
  BCE_WITH_LOGITS: ['positiveWeight', 'labelSmoothing', 'ignoreIndex'],
  SOFTMAX_CROSS_ENTROPY: ['classWeights', 'labelSmoothing', 'ignoreIndex'],
  FOCAL: ['positiveWeight', 'classWeights', 'focalGamma', 'ignoreIndex'],
  MSE: [],
  HUBER: ['huberDelta'],
};

/** Why a loss cannot be told this, for people; null if it can. `classes`: how many, null for values. */
export function lossProblem(loss: Loss, settings: LossSettings = {}, classes: number | null = null): string | null {
  const unknown = Object.keys(settings).filter((key) => !SETTINGS[loss].some((known) => known === key));
  if (unknown.length > 0) return `${loss} knows ${SETTINGS[loss].join(', ') || 'no settings'}; got ${unknown}`;
  const { classWeights, positiveWeight, ignoreIndex } = settings;
  if (classes === null) return null;
  if (positiveWeight !== undefined && classes !== 2) return `positiveWeight is for two classes; there are ${classes}`;
  if (classWeights && classes === 2) return 'classWeights are for more than two classes; use positiveWeight';
  if (classWeights && classWeights.length !== classes)
    return `classWeights must be ${classes} numbers, one per class; got ${classWeights.length}`;
  if (ignoreIndex !== undefined && (ignoreIndex < 0 || ignoreIndex >= classes))
    return `ignoreIndex must be a class index below ${classes}; it is ${ignoreIndex}`;
  return null;
}

const rate = z.number().positive();
const share = z.number().min(0).lt(1);
const adam = { learningRate: rate, beta1: share, beta2: share, epsilon: rate, weightDecay: z.number().min(0) };

export const Optimizer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('SGD'),
    learningRate: rate,
    momentum: share,
    /** Looks ahead along the momentum; off if left out. */
    nesterov: z.boolean().optional(),
    weightDecay: z.number().min(0),
  }),
  /** Weight decay as a term of the gradient. */
  z.strictObject({ kind: z.literal('ADAM'), ...adam }),
  /** Weight decay beside the gradient. */
  z.strictObject({ kind: z.literal('ADAMW'), ...adam }),
  z.strictObject({
    kind: z.literal('LION'),
    learningRate: rate,
    beta1: share,
    beta2: share,
    weightDecay: z.number().min(0),
  }),
]);
export type Optimizer = z.infer<typeof Optimizer>;

/** Share of the learning rate that is left at the end. */
const floor = z.number().min(0).max(1);

/** How the learning rate changes over the steps; left out: not at all. */
export const Schedule = z.strictObject({
  /** Steps in which the rate rises from 0 in a straight line. */
  warmupSteps: z.int().min(0).max(1_000_000),
  /** What it does then, until the last step of the budget. */
  decay: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('CONSTANT') }),
    z.strictObject({ kind: z.literal('COSINE'), floor }),
    z.strictObject({ kind: z.literal('LINEAR'), floor }),
    z.strictObject({ kind: z.literal('STEP'), everyEpochs: z.int().min(1), factor: z.number().positive().max(1) }),
  ]),
});
export type Schedule = z.infer<typeof Schedule>;

/** What a RunSpec says of the fit beyond loss and optimiser; all of it may be left out. */
export const FIT_FIELDS = {
  lossSettings: LossSettings.optional(),
  schedule: Schedule.optional(),
  /** Longest gradient, over all parameters together; a longer one is shortened to this. */
  clipNorm: z.number().positive().optional(),
  /** In how many equal parts a step's rows are computed, to fit into memory; batchSize is rounded up to a multiple. */
  accumulate: z.int().min(1).max(1024).optional(),
  /** Decay of the moving average of the weights that validation and artifact then use. */
  ema: z.number().gt(0).lt(1).optional(),
} as const;
