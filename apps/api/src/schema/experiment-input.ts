/** What an experiment may say of its network and its training. */
import { builder } from '../builder.ts';

export const EngineEnum = builder.enumType('Engine', {
  description: 'What computes training steps.',
  values: {
    AUTO: { description: 'The fastest that the claiming trainer has.' },
    ORT_CPU: { description: 'ONNX Runtime on the CPU.' },
    ORT_WEBGPU: { description: 'ONNX Runtime on a GPU by WebGPU (Vulkan, Metal or Direct3D 12).' },
    ORT_CUDA: { description: 'ONNX Runtime on an NVIDIA GPU by CUDA, where its files are installed.' },
    ORT_WASM: { description: 'ONNX Runtime in WebAssembly: no native code, the runtime of the edge.' },
    TFJS: { description: 'TensorFlow.js: on an NVIDIA GPU with @tensorflow/tfjs-node-gpu, else on the CPU and slow.' },
  } as const,
});

export const PreprocessingEnum = builder.enumType('Preprocessing', {
  description: 'What is done to columns before the network; it becomes part of the artifact.',
  values: {
    AUTO: { description: 'Numbers are imputed and standardised, categories one-hot, all learned on TRAIN.' },
    NONE: { description: 'Numbers as they are, missing ones 0; categories one-hot.' },
  } as const,
});

const OptimizerEnum = builder.enumType('Optimizer', {
  description: 'How gradients become steps.',
  values: {
    SGD: { description: 'Stochastic gradient descent, with momentum if given.' },
    ADAM: { description: 'Steps scaled by running moments of the gradient; weight decay is part of the gradient.' },
    ADAMW: { description: 'Adam with decoupled weight decay.' },
    LION: { description: 'Steps by the sign of a running moment: less state, a smaller learning rate.' },
  } as const,
});

const DecayEnum = builder.enumType('LearningRateDecay', {
  description: 'How the learning rate falls after the warm-up, until the last step of the budget.',
  values: {
    CONSTANT: { description: 'Not at all.' },
    COSINE: { description: 'Along half a cosine, to `floor` of it.' },
    LINEAR: { description: 'In a straight line, to `floor` of it.' },
    STEP: { description: 'By `factor` every `everyEpochs` epochs.' },
  } as const,
});

const ScheduleInput = builder.inputType('ScheduleInput', {
  description: 'How the learning rate changes over the steps.',
  fields: (t) => ({
    warmupSteps: t.int({ description: 'Steps in which it rises from 0 in a straight line; 0 when omitted.' }),
    decay: t.field({ type: DecayEnum, description: 'What it does then; CONSTANT when omitted.' }),
    floor: t.float({ description: 'COSINE and LINEAR: share of it that is left at the end, 0-1; 0 when omitted.' }),
    everyEpochs: t.int({ description: 'STEP: how often; required there.' }),
    factor: t.float({ description: 'STEP: by how much, above 0 to 1; 0.1 when omitted.' }),
  }),
});

const LossEnum = builder.enumType('Loss', {
  description: 'How errors are counted while training.',
  values: {
    BCE_WITH_LOGITS: { description: 'BINARY: binary cross-entropy; its default.' },
    SOFTMAX_CROSS_ENTROPY: { description: 'MULTICLASS: cross-entropy; its default.' },
    FOCAL: { description: 'Classes: cross-entropy that forgets rows that are right already (Lin et al. 2017).' },
    MSE: { description: 'REGRESSION: squares of the standardised errors; its default.' },
    HUBER: { description: 'REGRESSION: squares of small errors, absolute values of large ones: outliers count less.' },
  } as const,
});

const ClassWeightInput = builder.inputType('ClassWeightInput', {
  description: 'How much the rows of a class count.',
  fields: (t) => ({
    label: t.string({ required: true, description: 'The class.' }),
    weight: t.float({ required: true, description: 'Above 0; classes that are not named have 1.' }),
  }),
});

export const LossInput = builder.inputType('LossInput', {
  description: 'How errors are counted while training. Validation and evaluation are not touched by it.',
  fields: (t) => ({
    kind: t.field({ type: LossEnum, description: "The task's own when omitted." }),
    classWeights: t.field({
      type: [ClassWeightInput],
      description: 'Weights of classes, e.g. of a rare one; of two classes only the ratio counts.',
    }),
    ignoreClass: t.string({ description: 'Rows of this class teach nothing.' }),
    labelSmoothing: t.float({ description: 'Cross-entropies: share of each label spread over all classes, 0 to 1.' }),
    huberDelta: t.float({ description: 'HUBER: where squares end, in standard deviations; 1 when omitted.' }),
    focalGamma: t.float({ description: 'FOCAL: how fast right rows are forgotten, 0-10; 2 when omitted.' }),
  }),
});

export const HyperparametersInput = builder.inputType('HyperparametersInput', {
  description: 'How a network is trained.',
  fields: (t) => ({
    optimizer: t.field({ type: OptimizerEnum, description: 'ADAMW when omitted.' }),
    learningRate: t.float({
      description:
        'When omitted: 0.01 for SGD, 0.001 to 0.003 by network and number of rows for ADAM and ADAMW, a fifth of ' +
        'that for LION.',
    }),
    momentum: t.float({ description: 'SGD only: 0 (none) when omitted, below 1.' }),
    nesterov: t.boolean({ description: 'SGD with momentum: look ahead along it; false when omitted.' }),
    beta1: t.float({ description: 'ADAM, ADAMW, LION: decay of the first moment; 0.9 when omitted.' }),
    beta2: t.float({ description: 'ADAM, ADAMW: decay of the second moment, 0.999 when omitted; LION: 0.99.' }),
    epsilon: t.float({ description: 'ADAM, ADAMW: keeps the divisor from 0; 1e-8 when omitted.' }),
    weightDecay: t.float({ description: '0.01 for ADAMW, 0.05 for LION, 0 for SGD and ADAM when omitted.' }),
    batchSize: t.int({
      description: 'Rows per step; null = the whole training split; by its size when omitted.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description: 'How the learning rate changes. When omitted: COSINE for resnet and inception, else not at all.',
    }),
    clipNorm: t.float({ description: 'Longest gradient over all parameters; a longer one is shortened to it.' }),
    accumulate: t.int({
      description: 'Compute the rows of a step in so many parts, for less memory, 1-1024; 1 when omitted.',
    }),
    ema: t.float({
      description: 'Decay (e.g. 0.999) of a moving average of the weights, which is then validated and published.',
    }),
  }),
});

export const BudgetInput = builder.inputType('BudgetInput', {
  description: 'When training stops at the latest.',
  fields: (t) => ({
    maxEpochs: t.int({ description: 'Passes over the training split; by its size when omitted.' }),
    maxSteps: t.int({
      description: 'Steps of the optimizer; the last epoch is cut there. Alone, it decides instead of maxEpochs.',
    }),
    maxSeconds: t.float({ description: 'Wall clock; null = none. With it, the same seed may give other bytes.' }),
    patience: t.int({
      description: 'Epochs without improvement before stopping; null = off; by the number of rows when omitted.',
    }),
  }),
});
