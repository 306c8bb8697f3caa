/** Defaults and refusals of loss, optimizer and schedule. */
import { FIT_FIELDS, Optimizer } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import { UserError } from '../errors.ts';
import { fitOf, HyperparametersInput, LossInput, lossOf, optimizerOf } from './fit-spec.ts';

const optimizer = (input: object) => Optimizer.parse(optimizerOf(HyperparametersInput.parse(input), 2e-3));
const fit = (input: object) => fitOf(HyperparametersInput.parse(input));
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return `${error.code} ${error.field?.join('.')}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('optimizerOf', () => {
  it('completes every kind as the trainer wants it', () => {
    const adam = { learningRate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    expect(optimizerOf(null, 2e-3)).toEqual({ kind: 'ADAMW', ...adam, weightDecay: 0.01 });
    expect(optimizer({ optimizer: 'ADAM' })).toEqual({ kind: 'ADAM', ...adam, weightDecay: 0 });
    expect(optimizer({ optimizer: 'LION' })).toEqual({
      ...{ kind: 'LION', learningRate: 4e-4, beta1: 0.9, beta2: 0.99, weightDecay: 0.05 },
    });
    expect(optimizer({ optimizer: 'SGD' })).toEqual({ kind: 'SGD', learningRate: 0.01, momentum: 0, weightDecay: 0 });
    const nesterov = { optimizer: 'SGD', momentum: 0.9, nesterov: true, learningRate: 0.1, weightDecay: 1e-4 };
    expect(optimizer(nesterov)).toEqual({
      ...{ kind: 'SGD', learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
    });
  });

  it('refuses what belongs to another kind', () => {
    const of = (input: object) => refusal(() => optimizer(input));
    expect(of({ momentum: 0.9 })).toMatch(/hyperparameters.momentum: ADAMW has no momentum; it has beta1/);
    expect(of({ optimizer: 'SGD', beta1: 0.9 })).toContain('hyperparameters.beta1');
    expect(of({ optimizer: 'LION', epsilon: 1e-8 })).toContain('hyperparameters.epsilon');
    expect(of({ optimizer: 'SGD', nesterov: true })).toContain('hyperparameters.nesterov');
    expect(of({ optimizer: 'SGD', beta1: null, nesterov: false })).toBe('accepted');
  });
});

describe('fitOf', () => {
  it('leaves out what has no effect', () => {
    expect(fitOf(null)).toEqual({});
    expect(fit({ accumulate: 1, clipNorm: null, schedule: null })).toEqual({});
    expect(fit({ accumulate: 4, clipNorm: 1, ema: 0.999 })).toEqual({ accumulate: 4, clipNorm: 1, ema: 0.999 });
  });

  it('completes schedules as the trainer wants them', () => {
    const schedule = (input: object) => FIT_FIELDS.schedule.parse(fit({ schedule: input }).schedule);
    expect(schedule({ warmupSteps: 100 })).toEqual({ warmupSteps: 100, decay: { kind: 'CONSTANT' } });
    expect(schedule({ decay: 'COSINE' })).toEqual({ warmupSteps: 0, decay: { kind: 'COSINE', floor: 0 } });
    expect(schedule({ decay: 'LINEAR', floor: 0.1 })?.decay).toEqual({ kind: 'LINEAR', floor: 0.1 });
    expect(schedule({ decay: 'STEP', everyEpochs: 30 })?.decay).toEqual({ kind: 'STEP', everyEpochs: 30, factor: 0.1 });
    const of = (input: object) => refusal(() => schedule(input));
    expect(of({ decay: 'STEP' })).toContain('hyperparameters.schedule.everyEpochs');
    expect(of({ floor: 0.1 })).toContain('hyperparameters.schedule.floor');
    expect(of({ decay: 'COSINE', factor: 0.5 })).toContain('hyperparameters.schedule.factor');
    expect(of({ factor: 0.5 })).toContain('hyperparameters.schedule.factor');
  });
});

describe('lossOf', () => {
  const three = ['a', 'b', 'c'];
  const loss = (task: 'BINARY' | 'MULTICLASS' | 'REGRESSION', classes: string[] | null, input: object) =>
    lossOf(task, classes, LossInput.parse(input));

  it("is the task's own when nothing is said", () => {
    expect(lossOf('BINARY', ['n', 'y'], null)).toEqual({ loss: 'BCE_WITH_LOGITS' });
    expect(lossOf('MULTICLASS', three, undefined)).toEqual({ loss: 'SOFTMAX_CROSS_ENTROPY' });
    expect(loss('REGRESSION', null, {})).toEqual({ loss: 'MSE' });
  });

  it('names classes by label and weighs them by index', () => {
    const classWeights = [{ label: 'c', weight: 5 }];
    expect(loss('MULTICLASS', three, { classWeights, labelSmoothing: 0.1 })).toEqual({
      loss: 'SOFTMAX_CROSS_ENTROPY',
      lossSettings: { classWeights: [1, 1, 5], labelSmoothing: 0.1 },
    });
    const weigh = (label: string) => loss('BINARY', ['n', 'y'], { classWeights: [{ label, weight: 4 }] }).lossSettings;
    expect([weigh('y'), weigh('n')]).toEqual([{ positiveWeight: 4 }, { positiveWeight: 0.25 }]);
    expect(loss('BINARY', ['n', 'y'], { kind: 'FOCAL', focalGamma: 1, ignoreClass: 'n' })).toEqual({
      loss: 'FOCAL',
      lossSettings: { focalGamma: 1, ignoreIndex: 0 },
    });
    expect(loss('REGRESSION', null, { kind: 'HUBER', huberDelta: 2 }).lossSettings).toEqual({ huberDelta: 2 });
  });

  it('refuses what does not go together', () => {
    expect(refusal(() => loss('BINARY', ['n', 'y'], { kind: 'MSE' }))).toContain('BCE_WITH_LOGITS or FOCAL, not MSE');
    expect(refusal(() => loss('MULTICLASS', three, { ignoreClass: 'd' }))).toContain('UNKNOWN_CLASS loss.ignoreClass');
    expect(refusal(() => loss('REGRESSION', null, { labelSmoothing: 0.1 }))).toContain('MSE knows no settings');
    expect(refusal(() => loss('BINARY', ['n', 'y'], { focalGamma: 1 }))).toMatch(
      /^INVALID_INPUT loss: BCE_WITH_LOGITS/,
    );
  });
});
