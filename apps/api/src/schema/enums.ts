/** Enums that several nouns share; each holds only values that work today. */
import { builder } from '../builder.ts';

export const TaskEnum = builder.enumType('Task', {
  description: 'What is predicted of a row.',
  values: {
    BINARY: { description: 'One of two classes.' },
    MULTICLASS: { description: 'One of three classes or more.' },
    REGRESSION: { description: 'A number.' },
  } as const,
});

export const ObjectiveEnum = builder.enumType('Objective', {
  description: 'What the validation split judges a network by: early stopping, best checkpoint, threshold.',
  values: {
    ACCURACY: { description: 'Share of right labels; classification.' },
    F1_MACRO: { description: 'Mean F1 of the classes; also chooses the threshold of a BINARY model.' },
    LOG_LOSS: { description: 'Cross-entropy of the probabilities; classification.' },
    RMSE: { description: 'Root of the mean squared error; regression.' },
  } as const,
});

export const ScopeEnum = builder.enumType('Scope', {
  description: 'What a key may do.',
  values: {
    read: { description: 'Run queries and subscriptions.' },
    write: { description: 'Upload data, create experiments, deploy.' },
    train: { description: 'Claim runs and report on them: for trainers.' },
    edge: { description: 'Predict and send feedback at the edge.' },
    predict: { description: 'Predict at the edge and nothing else.' },
    feedback: { description: 'Send feedback, to the edge or by recordFeedback, and nothing else.' },
    admin: { description: 'Everything, and manage keys and projects.' },
  } as const,
});

export const VariantRoleEnum = builder.enumType('VariantRole', {
  description: 'What a version is at an endpoint.',
  values: {
    PRIMARY: { description: 'It answers its share of the requests.' },
    SHADOW: { description: 'It is run after the answer, on its share of the requests, and compared.' },
  } as const,
});

export const RunKindEnum = builder.enumType('RunKind', {
  description: 'What a run does.',
  values: {
    TRAIN: { description: 'Trains a network: an answer to an experiment.' },
    IMPORT: { description: 'Makes a model of elsewhere a version: importModelVersion.' },
  } as const,
});
