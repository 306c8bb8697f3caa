import { describe, expect, test } from 'vitest';
import { better, macroF1, objectiveOf, scoreOf, validateClasses, validateValues } from './validate.ts';

describe('validateClasses', () => {
  test('a binary logit is that of class 1', () => {
    const judged = validateClasses(Float32Array.of(2, -1, 0.5), Int32Array.of(1, 0, 0), 2);
    const losses = [Math.log1p(Math.exp(-2)), Math.log1p(Math.exp(-1)), Math.log1p(Math.exp(0.5))];
    expect(judged).toMatchObject({ kind: 'CLASSES', accuracy: 2 / 3 });
    expect(judged.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 3, 6);
    // class 0: TP 1 FP 0 FN 1 -> 2/3, class 1: TP 1 FP 1 FN 0 -> 2/3
    expect(judged.kind === 'CLASSES' && judged.f1_macro).toBeCloseTo(2 / 3, 12);
  });

  test('several classes: softmax cross-entropy, stable for huge logits', () => {
    const judged = validateClasses(Float32Array.of(1, 2, 3, 1e4, 0, 0), Int32Array.of(2, 0), 3);
    const first = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3)) - 3;
    expect(judged.loss).toBeCloseTo(first / 2, 6);
    expect(judged).toMatchObject({ accuracy: 1 });
  });

  test('a logit that is no number makes the loss none', () => {
    expect(validateClasses(Float32Array.of(Number.NaN), Int32Array.of(1), 2).loss).toBeNaN();
  });
});

test('validateValues speaks in the unit of the target', () => {
  const judged = validateValues(Float32Array.of(0, 1), Float32Array.of(-1, 1), 50);
  expect(judged).toEqual({ kind: 'VALUES', loss: 0.5, rmse: Math.sqrt(0.5) * 50, r2: 0.5 });
  expect(validateValues(Float32Array.of(0), Float32Array.of(1), 1)).toMatchObject({ r2: null });
});

test('macroF1 leaves out classes that nobody speaks of', () => {
  expect(macroF1([0, 0, 1], [0, 0, 1], 3)).toBe(1);
  expect(macroF1([0, 0], [2, 2], 3)).toBe(0);
});

test('objectives compare in their own direction, ties go to the lower loss', () => {
  const a = { kind: 'CLASSES', loss: 0.4, accuracy: 0.9, f1_macro: 0.7 } as const;
  const b = { kind: 'CLASSES', loss: 0.3, accuracy: 0.9, f1_macro: 0.6 } as const;
  expect(better(scoreOf(b, 'ACCURACY'), scoreOf(a, 'ACCURACY'))).toBe(true);
  expect(better(scoreOf(b, 'F1_MACRO'), scoreOf(a, 'F1_MACRO'))).toBe(false);
  expect(better(scoreOf(b, 'LOG_LOSS'), scoreOf(a, 'LOG_LOSS'))).toBe(true);
  expect(better(scoreOf(a, 'ACCURACY'), scoreOf(a, 'ACCURACY'))).toBe(false);
});

test('the score of an objective is in its own unit and direction', () => {
  const a = { kind: 'CLASSES', loss: 0.4, accuracy: 0.9, f1_macro: 0.7 } as const;
  const value = { kind: 'VALUES', loss: 0.25, rmse: 50, r2: 0.75 } as const;
  expect(objectiveOf(scoreOf(a, 'LOG_LOSS'), 'LOG_LOSS')).toBe(0.4);
  expect(objectiveOf(scoreOf(a, 'ACCURACY'), 'ACCURACY')).toBe(0.9);
  expect(objectiveOf(scoreOf(a, 'F1_MACRO'), 'F1_MACRO')).toBe(0.7);
  expect(objectiveOf(scoreOf(value, 'RMSE'), 'RMSE')).toBe(50);
});
