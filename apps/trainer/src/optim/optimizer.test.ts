/** The update fragments against the same formulas in plain double-precision JavaScript. */
import { describe, expect, test } from 'vitest';
import type { Optimizer } from '../contract/run-spec.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { type Slot, updateOf } from './optimizer.ts';

const engine = await ortCpu({ threads: 1 });

interface Vectors {
  params: number[];
  m: number[];
  v: number[];
  ema: number[];
}

/** Applies an optimiser's graph fragment repeatedly with the same gradient. */
async function update(optimizer: Optimizer, start: number[], g: number[], decays: number[], steps: number) {
  const fragment = updateOf(optimizer);
  const b = new GraphBuilder('update');
  const vector = [start.length];
  const [params, gradient] = [b.input('params', 'FLOAT', vector), b.input('gradient', 'FLOAT', vector)];
  const slots = Object.fromEntries(fragment.slots.map((name) => [name, b.input(name, 'FLOAT', vector)]));
  const [step, learningRate] = [b.input('step', 'INT32', [1]), b.constant('FLOAT', [], [optimizer.learningRate])];
  const decayed = fragment.weightDecay > 0 ? b.constant('FLOAT', vector, decays) : null;
  const next = fragment.apply({ params, gradient, slots, step, learningRate, decayed });
  b.output('params2', next.params);
  for (const name of fragment.slots) if (next.slots[name]) b.output(`${name}2`, next.slots[name]);
  const graph = await engine.graph(encodeModel(b.model()));

  const now: Vectors = { params: start, m: start.map(() => 0), v: start.map(() => 0), ema: [] };
  for (let t = 1; t <= steps; t++) {
    const used = ['params', ...fragment.slots] as const;
    const results = await graph.run([
      ...used.map((name: 'params' | Slot) => tensorOf(name, 'FLOAT', vector, now[name])),
      tensorOf('gradient', 'FLOAT', vector, g),
      tensorOf('step', 'INT32', [1], [t]),
    ]);
    for (const name of used) {
      const result = results.get(`${name}2`);
      if (result) now[name] = numbersOf(result);
    }
  }
  return now;
}

const START = [0.5, -1, 2, 0];
const GRADIENT = [0.3, -20, 1e-4, 0];
/** As if the last element were a bias. */
const DECAYS = [1, 1, 1, 0];

function close(actual: number[], expected: number[]): void {
  actual.forEach((value, index) => {
    const wanted = expected[index] ?? Number.NaN;
    expect(Math.abs(value - wanted)).toBeLessThanOrEqual(2e-6 * Math.max(0.01, Math.abs(wanted)));
  });
}

describe('SGD', () => {
  test.each([
    { momentum: 0, weightDecay: 0 },
    { momentum: 0.9, weightDecay: 0 },
    { momentum: 0.9, weightDecay: 0.1 },
    { momentum: 0, weightDecay: 0.1 },
  ])('momentum $momentum, L2 weight decay $weightDecay', async ({ momentum, weightDecay }) => {
    const optimizer = { kind: 'SGD', learningRate: 0.01, momentum, weightDecay } as const;
    const { params } = await update(optimizer, START, GRADIENT, DECAYS, 7);
    const expected = START.map((start, i) => {
      let [p, m] = [start, 0];
      for (let t = 0; t < 7; t++) {
        m = momentum * m + (GRADIENT[i] ?? 0) + weightDecay * (DECAYS[i] ?? 0) * p;
        p -= 0.01 * m;
      }
      return p;
    });
    close(params, expected);
  });

  test('keeps no moments that it does not use', () => {
    const plain = { kind: 'SGD', learningRate: 1, momentum: 0, weightDecay: 0 } as const;
    expect(updateOf(plain).slots).toEqual([]);
    expect(updateOf({ ...plain, momentum: 0.5 }).slots).toEqual(['m']);
  });
});

describe('SGD with Nesterov momentum', () => {
  test('looks ahead', async () => {
    const optimizer = { kind: 'SGD', learningRate: 0.01, momentum: 0.9, nesterov: true, weightDecay: 0.1 } as const;
    const { params } = await update(optimizer, START, GRADIENT, DECAYS, 7);
    const expected = START.map((start, i) => {
      let [p, m] = [start, 0];
      for (let t = 0; t < 7; t++) {
        const g = (GRADIENT[i] ?? 0) + 0.1 * (DECAYS[i] ?? 0) * p;
        m = 0.9 * m + g;
        p -= 0.01 * (g + 0.9 * m);
      }
      return p;
    });
    close(params, expected);
  });
});

describe('Adam', () => {
  test('takes weight decay into the gradient', async () => {
    const optimizer = {
      kind: 'ADAM',
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      weightDecay: 0.1,
    } as const;
    const { params } = await update(optimizer, START, GRADIENT, DECAYS, 7);
    const expected = START.map((start, i) => {
      let [p, m, v] = [start, 0, 0];
      for (let t = 1; t <= 7; t++) {
        const g = (GRADIENT[i] ?? 0) + 0.1 * (DECAYS[i] ?? 0) * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.99 * v + 0.01 * g * g;
        p -= (0.01 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.99 ** t)) + 1e-8);
      }
      return p;
    });
    close(params, expected);
  });
});

describe('Lion', () => {
  test('moves by the sign, and shrinks what decays', async () => {
    const optimizer = { kind: 'LION', learningRate: 0.01, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 } as const;
    const { params, m } = await update(optimizer, START, GRADIENT, DECAYS, 7);
    const expected = START.map((start, i) => {
      const g = GRADIENT[i] ?? 0;
      let [p, momentum] = [start, 0];
      for (let t = 0; t < 7; t++) {
        p -= 0.01 * (Math.sign(0.9 * momentum + 0.1 * g) + 0.1 * (DECAYS[i] ?? 0) * p);
        momentum = 0.99 * momentum + 0.01 * g;
      }
      return { p, momentum };
    });
    close(
      params,
      expected.map(({ p }) => p),
    );
    close(
      m,
      expected.map(({ momentum }) => momentum),
    );
  });
});

describe('AdamW', () => {
  test.each([
    { beta1: 0.9, beta2: 0.999, weightDecay: 0 },
    { beta1: 0.9, beta2: 0.9999, weightDecay: 0.1 },
    { beta1: 0, beta2: 0.5, weightDecay: 0.1 },
  ])('betas $beta1 and $beta2, decoupled weight decay $weightDecay', async ({ beta1, beta2, weightDecay }) => {
    const epsilon = 1e-8;
    const optimizer = { kind: 'ADAMW', learningRate: 0.01, beta1, beta2, epsilon, weightDecay } as const;
    const actual = await update(optimizer, START, GRADIENT, DECAYS, 7);
    const expected = START.map((start, i) => {
      const g = GRADIENT[i] ?? 0;
      let [p, m, v] = [start, 0, 0];
      for (let t = 1; t <= 7; t++) {
        m = beta1 * m + (1 - beta1) * g;
        v = beta2 * v + (1 - beta2) * g * g;
        p -= 0.01 * weightDecay * (DECAYS[i] ?? 0) * p;
        p -= (0.01 * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
      }
      return { p, m, v };
    });
    close(
      actual.params,
      expected.map(({ p }) => p),
    );
    close(
      actual.m,
      expected.map(({ m }) => m / (1 - beta1)),
    );
    close(
      actual.v,
      expected.map(({ v }) => v / (1 - beta2)),
    );
  });

  test('the first step is the learning rate, to float32 precision: bias correction loses no digits', async () => {
    const optimizer = {
      kind: 'ADAMW',
      learningRate: 0.5,
      beta1: 0.9,
      beta2: 0.9999,
      epsilon: 0,
      weightDecay: 0,
    } as const;
    const { params } = await update(optimizer, [0, 0], [0.7, -3e-5], [1, 1], 1);
    params.forEach((p, index) => {
      expect(Math.abs(p - (index === 0 ? -0.5 : 0.5))).toBeLessThan(5e-7);
    });
  });
});
