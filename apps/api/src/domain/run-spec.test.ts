/** Defaults and refusals of run specs, without a database. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../errors.ts';
import { digestOf } from './canonical.ts';
import type { StoredColumn } from './dataset-columns.ts';
import { slug } from './experiment.ts';
import { completeSpec, type SpecData, type SpecInput } from './run-spec.ts';

function column(name: string, kind: StoredColumn['kind'], more: Partial<StoredColumn> = {}): StoredColumn {
  const profile = { count: 100, missing: 0, distinct: 10, min: null, max: null, mean: null, std: null, top: null };
  return { name, kind, role: 'FEATURE', inferred: true, reason: null, values: [], profile, ...more };
}

const DATA: SpecData = {
  digest: 'a'.repeat(64),
  target: 'y',
  task: 'BINARY',
  tasks: ['BINARY', 'REGRESSION'],
  classes: ['0', '1'],
  columns: [
    column('age', 'NUMERIC'),
    column('note', 'TEXT'),
    column('id', 'IGNORE', { reason: 'IDENTIFIER' }),
    column('same', 'NUMERIC', { reason: 'CONSTANT' }),
    column('city', 'CATEGORICAL'),
    column('y', 'NUMERIC', { role: 'TARGET' }),
  ],
  trainRows: 700,
  validationRows: 150,
};

const spec = (input: SpecInput = {}, data: Partial<SpecData> = {}) => completeSpec({ ...DATA, ...data }, input);
const code = (input: SpecInput, data: Partial<SpecData> = {}) => {
  try {
    return spec(input, data) && 'accepted';
  } catch (error) {
    if (error instanceof UserError) return `${error.code} ${error.field?.join('.')}`;
    throw error;
  }
};

describe('completeSpec', () => {
  it('chooses what is omitted by task and size', () => {
    expect(spec()).toMatchObject({
      task: 'BINARY',
      positiveClass: '1',
      loss: 'BCE_WITH_LOGITS',
      objective: 'LOG_LOSS',
      features: [
        { name: 'age', kind: 'NUMERIC' },
        { name: 'city', kind: 'CATEGORICAL' },
      ],
      optimizer: { kind: 'ADAMW', learningRate: 3e-3 },
      architecture: { mlp: { hidden: [64] } },
      batchSize: 32,
      budget: { maxEpochs: 200, maxSeconds: null, patience: 30 },
      engine: 'AUTO',
      seed: 0,
    });
    expect(spec({ task: 'REGRESSION' })).toMatchObject({
      task: 'REGRESSION',
      classes: null,
      positiveClass: null,
      loss: 'MSE',
      objective: 'RMSE',
    });
    expect(spec({}, { trainRows: 1_000_000 })).toMatchObject({
      architecture: { mlp: { hidden: [128, 64] } },
      batchSize: 512,
      budget: { maxEpochs: 30, patience: 5 },
    });
  });

  it('tells null from absent: full batch, no early stopping', () => {
    const input: SpecInput = {
      hyperparameters: { optimizer: 'SGD', batchSize: null },
      budget: { maxEpochs: 100, patience: null },
    };
    expect(spec(input)).toMatchObject({
      batchSize: null,
      optimizer: { kind: 'SGD', learningRate: 0.01, momentum: 0, weightDecay: 0 },
      budget: { maxEpochs: 100, patience: null },
    });
  });

  it('trains each kind of network as that kind wants it', () => {
    const image = [column('pixels', 'TENSOR', { shape: [1, 8, 8] })];
    expect(spec({}, { columns: image })).toMatchObject({
      architecture: { cnn: { channels: [32, 64] } },
      optimizer: { learningRate: 1e-3 },
      batchSize: 64,
      threads: 2,
      budget: { maxEpochs: 30, patience: 6 },
    });
    const resnet = (hyperparameters: SpecInput['hyperparameters'] = {}) =>
      spec({ architecture: { resnet: {} }, hyperparameters }, { columns: image });
    expect(resnet()).toMatchObject({
      schedule: { warmupSteps: 0, decay: { kind: 'COSINE', floor: 0 } },
      budget: { maxEpochs: 8, patience: null },
    });
    expect(resnet({ schedule: null }).schedule).toBeUndefined();
    expect(resnet({ schedule: { warmupSteps: 9 } }).schedule).toEqual({ warmupSteps: 9, decay: { kind: 'CONSTANT' } });
  });

  it('names the field that does not fit', () => {
    expect(code({ target: 'age' })).toBe('TARGET_DIFFERS target');
    expect(code({ target: 'y' })).toBe('accepted');
    expect(code({ task: 'MULTICLASS' })).toBe('TASK_MISMATCH task');
    expect(code({ objective: 'RMSE' })).toBe('OBJECTIVE_MISMATCH objective');
    expect(code({ task: 'REGRESSION', objective: 'ACCURACY' })).toBe('OBJECTIVE_MISMATCH objective');
    expect(code({ positiveClass: '2' })).toBe('UNKNOWN_CLASS positiveClass');
    expect(code({ task: 'REGRESSION', positiveClass: '1' })).toBe('UNKNOWN_CLASS positiveClass');
    expect(code({ hyperparameters: { momentum: 0.9 } })).toBe('INVALID_INPUT hyperparameters.momentum');
    expect(code({}, { columns: [column('note', 'TEXT')] })).toBe('NO_FEATURES datasetVersionId');
  });

  it('counts one-hot inputs against what the edge can hold', () => {
    const wide = Array.from({ length: 100 }, (_, i) =>
      column(`c${i}`, 'CATEGORICAL', {
        profile: { ...column('', 'TEXT').profile, distinct: null },
      }),
    );
    expect(code({ architecture: { mlp: { hidden: [600] } } }, { columns: wide })).toBe('accepted');
    expect(code({ architecture: { mlp: { hidden: [630] } } }, { columns: wide })).toBe('MODEL_TOO_LARGE architecture');
  });
});

it('digests equal specs equally, whatever the order of their keys', () => {
  expect(digestOf({ a: 1, b: { c: [1, 2], d: null } })).toBe(digestOf({ b: { d: null, c: [1, 2] }, a: 1 }));
  expect(digestOf({ a: [1, 2] })).not.toBe(digestOf({ a: [2, 1] }));
});

it('makes model names of experiment names', () => {
  expect(slug('Iris, first try!')).toBe('iris-first-try');
  expect(slug('Übung é')).toBe('ubung-e');
  expect(slug('x'.repeat(100))).toHaveLength(63);
  expect(() => slug('日本')).toThrow('modelName');
});
