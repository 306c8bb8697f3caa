/** Losses against their formulas in plain JavaScript, with weights and extreme logits. */
import { describe, expect, test } from 'vitest';
import type { Loss, LossSettings } from '../contract/run-spec.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { gradientOf } from './gradients.ts';
import { labelType, meanLoss } from './losses.ts';
import type { Target } from './rule.ts';

const engine = await ortCpu({ threads: 1 });

interface Batch {
  logits: number[][];
  labels: number[];
  weight: number[];
}

/** Loss and its gradient by the logits. */
async function evaluate(
  kind: Loss,
  batch: Batch,
  settings: LossSettings = {},
  target: Target = 'CPU',
): Promise<{ loss: number; gradient: number[] }> {
  const [rows, width] = [batch.labels.length, batch.logits[0]?.length ?? 0];
  const g = new GraphBuilder('loss');
  const logits = g.input('logits', 'FLOAT', [rows, width]);
  const labels = g.input('labels', labelType(kind), [rows]);
  const weight = g.input('weight', 'FLOAT', [rows]);
  const loss = meanLoss(kind, { logits, labels, weight }, { settings, target });
  g.output('loss', loss);
  g.output('gradient', gradientOf(loss, logits, { target }));
  const graph = await engine.graph(encodeModel(g.model()));
  const outputs = await graph.run([
    tensorOf('logits', 'FLOAT', [rows, width], batch.logits.flat()),
    tensorOf('labels', labelType(kind), [rows], batch.labels),
    tensorOf('weight', 'FLOAT', [rows], batch.weight),
  ]);
  const read = (name: string) => {
    const tensor = outputs.get(name);
    return tensor ? numbersOf(tensor) : [];
  };
  return { loss: read('loss')[0] ?? Number.NaN, gradient: read('gradient') };
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const close = (actual: number[], expected: number[]) => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5);
  });
};

describe('losses', () => {
  test('BCE with logits', async () => {
    const [z, y, w] = [
      [0.3, -2, 0, 1.5],
      [1, 0, 1, 0],
      [1, 2, 0.5, 0],
    ];
    const { loss, gradient } = await evaluate('BCE_WITH_LOGITS', { logits: z.map((x) => [x]), labels: y, weight: w });
    const rows = z.map((x, i) => -(y[i] ? Math.log(sigmoid(x)) : Math.log(1 - sigmoid(x))));
    const total = w.reduce((a, b) => a + b);
    close([loss], [rows.reduce((sum, row, i) => sum + row * (w[i] ?? 0), 0) / total]);
    close(
      gradient,
      z.map((x, i) => ((sigmoid(x) - (y[i] ?? 0)) * (w[i] ?? 0)) / total),
    );
  });

  test('BCE stays finite and sloped at logits of any size', async () => {
    const batch = { logits: [[1000], [-1000], [90], [-90]], labels: [0, 1, 1, 0], weight: [1, 1, 1, 1] };
    const { loss, gradient } = await evaluate('BCE_WITH_LOGITS', batch);
    close([loss, ...gradient], [500, 0.25, -0.25, 0, 0]);
  });

  test('softmax cross-entropy', async () => {
    const logits = [
      [1, 2, -1],
      [0.5, 0, 0],
      [300, -300, 0],
    ];
    const [labels, weight] = [
      [2, 0, 1],
      [1, 3, 0.5],
    ];
    const { loss, gradient } = await evaluate('SOFTMAX_CROSS_ENTROPY', { logits, labels, weight });
    const probabilities = logits.map((row) => {
      const exps = row.map((z) => Math.exp(z - Math.max(...row)));
      return exps.map((e) => e / exps.reduce((a, b) => a + b));
    });
    const rows = logits.map((row, i) => {
      const largest = Math.max(...row);
      return Math.log(row.reduce((sum, z) => sum + Math.exp(z - largest), 0)) + largest - (row[labels[i] ?? 0] ?? 0);
    });
    close([loss], [rows.reduce((sum, row, i) => sum + row * (weight[i] ?? 0), 0) / 4.5]);
    const expected = probabilities.flatMap((row, i) =>
      row.map((p, k) => ((p - (labels[i] === k ? 1 : 0)) * (weight[i] ?? 0)) / 4.5),
    );
    close(gradient, expected);
  });

  test('mean squared error', async () => {
    const batch = { logits: [[1], [2], [99]], labels: [0.5, -1, 0], weight: [1, 1, 0] };
    const { loss, gradient } = await evaluate('MSE', batch);
    close([loss, ...gradient], [(0.25 + 9) / 2, 0.5, 3, 0]);
  });

  test('a row of weight 0 is as if it were not there, whatever it holds', async () => {
    const real = {
      logits: [
        [0.3, 1],
        [2, -1],
      ],
      labels: [1, 0],
      weight: [1, 1],
    };
    const padded = { logits: [...real.logits, [50, -3]], labels: [...real.labels, 0], weight: [1, 1, 0] };
    const [a, b] = [await evaluate('SOFTMAX_CROSS_ENTROPY', real), await evaluate('SOFTMAX_CROSS_ENTROPY', padded)];
    expect(b.loss).toBeCloseTo(a.loss, 6);
    expect(b.gradient.slice(4)).toEqual([0, 0]);
  });
});
