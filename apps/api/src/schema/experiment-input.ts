/** What an experiment may say of its network and its training. */
import { builder } from '../builder.ts';

export const EngineEnum = builder.enumType('Engine', {
  description: 'What computes training steps.',
  values: {
    AUTO: { description: 'The fastest that the claiming trainer has.' },
    ORT_CPU: { description: 'ONNX Runtime on the CPU.' },
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
    ADAMW: { description: 'Adam with decoupled weight decay.' },
  } as const,
});

const MlpInput = builder.inputType('MlpInput', {
  description: 'A multilayer perceptron with ReLU between its layers.',
  fields: (t) => ({
    hidden: t.intList({
      required: true,
      description: 'Widths of the hidden layers, at most 16 of 1-8192; [] = linear.',
    }),
  }),
});

export const ArchitectureInput = builder.inputType('ArchitectureInput', {
  description: 'A network: exactly one of these.',
  fields: (t) => ({
    mlp: t.field({ type: MlpInput, required: true, description: 'A multilayer perceptron.' }),
  }),
});

export const HyperparametersInput = builder.inputType('HyperparametersInput', {
  description: 'How a network is trained.',
  fields: (t) => ({
    optimizer: t.field({ type: OptimizerEnum, description: 'ADAMW when omitted.' }),
    learningRate: t.float({
      description: 'When omitted: 0.01 for SGD, 0.001 to 0.003 by the number of rows for ADAMW.',
    }),
    momentum: t.float({ description: 'SGD only: 0 (none) when omitted, below 1.' }),
    weightDecay: t.float({ description: '0.01 for ADAMW, 0 for SGD when omitted.' }),
    batchSize: t.int({
      description: 'Rows per step; null = the whole training split; by its size when omitted.',
    }),
  }),
});

export const BudgetInput = builder.inputType('BudgetInput', {
  description: 'When training stops at the latest.',
  fields: (t) => ({
    maxEpochs: t.int({ description: 'Passes over the training split; by its size when omitted.' }),
    maxSeconds: t.float({ description: 'Wall clock; null = none. With it, the same seed may give other bytes.' }),
    patience: t.int({
      description: 'Epochs without improvement before stopping; null = off; by the number of rows when omitted.',
    }),
  }),
});
