/** What losses can be told, against the formulas in plain JavaScript; their slopes by finite differences in float64. */
import { describe, expect, test } from 'vitest';
import { type Loss, type LossSettings, lossProblem } from '../contract/run-spec.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { loader } from '../engine/testing.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { checkGradient } from './check.ts';
import { labelType, meanLoss } from './losses.ts';
import type { Target } from './rule.ts';

const engine = await ortCpu({ threads: 1 });
const load = await loader();

interface Example {
  readonly loss: Loss;
  readonly settings: LossSettings;
  readonly logits: number[][];
  readonly labels: number[];
  readonly weight: number[];
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const logSoftmax = (row: number[]) => {
  const all = Math.log(sum(row.map(Math.exp)));
  return row.map((z) => z - all);
};

/** Sum of weight x loss and sum of weights for one row, by the book. */
function byTheBook({ loss, settings }: Example, z: number[], y: number): [number, number] {
  const { positiveWeight: w = 1, labelSmoothing: s = 0, classWeights, focalGamma: g = 2, huberDelta: d = 1 } = settings;
  const [first = 0] = z;
  const classWeight = classWeights?.[y] ?? 1;
  if (loss === 'BCE_WITH_LOGITS') {
    const q = y * (1 - s) + s / 2;
    return [-(w * q * Math.log(sigmoid(first)) + (1 - q) * Math.log(1 - sigmoid(first))), 1];
  }
  if (loss === 'HUBER') {
    const distance = Math.abs(first - y);
    return [distance <= d ? distance ** 2 / 2 : d * (distance - d / 2), 1];
  }
  const logs = logSoftmax(z);
  if (loss === 'SOFTMAX_CROSS_ENTROPY') {
    const terms = logs.map((log, k) => {
      const q = (k === y ? 1 - s : 0) + s / z.length;
      return -(classWeights?.[k] ?? 1) * q * log;
    });
    return [sum(terms), classWeight];
  }
  if (z.length === 1) {
    const p = y === 1 ? sigmoid(first) : 1 - sigmoid(first);
    return [-(y === 1 ? w : 1) * (1 - p) ** g * Math.log(p), 1];
  }
  const log = logs[y] ?? Number.NaN;
  return [-classWeight * (1 - Math.exp(log)) ** g * log, classWeight];
}

function expected(example: Example): number {
  const { settings, logits, labels, weight } = example;
  const rows = labels.map((y, row): [number, number] => {
    const [loss, count] = byTheBook(example, logits[row] ?? [], y);
    const w = y === settings.ignoreIndex ? 0 : (weight[row] ?? 0);
    return [w * loss, w * count];
  });
  return sum(rows.map(([loss]) => loss)) / sum(rows.map(([, count]) => count));
}

async function ours({ loss, settings, logits, labels, weight }: Example, target: Target): Promise<number> {
  const [rows, width] = [labels.length, logits[0]?.length ?? 0];
  const g = new GraphBuilder('loss');
  const batch = {
    logits: g.input('logits', 'FLOAT', [rows, width]),
    labels: g.input('labels', labelType(loss), [rows]),
    weight: g.input('weight', 'FLOAT', [rows]),
  };
  g.output('loss', meanLoss(loss, batch, { settings, target }));
  const graph = await engine.graph(encodeModel(g.model()));
  const outputs = await graph.run([
    tensorOf('logits', 'FLOAT', [rows, width], logits.flat()),
    tensorOf('labels', labelType(loss), [rows], labels),
    tensorOf('weight', 'FLOAT', [rows], weight),
  ]);
  const value = outputs.get('loss');
  return (value ? numbersOf(value)[0] : undefined) ?? Number.NaN;
}

const binary = { logits: [[0.3], [-2], [0.9], [1.5], [-0.4]], labels: [1, 0, 0, 1, 1], weight: [1, 2, 0.5, 0, 1] };
const classes = {
  logits: [
    [1, 2, -1],
    [0.5, 0, 0.2],
    [-3, 1, 0.4],
    [0.7, -0.2, 0.3],
  ],
  labels: [2, 0, 1, 2],
  weight: [1, 3, 0.5, 1],
};
const values = { logits: [[1], [2], [-0.7], [3]], labels: [0.5, -1, 0, 2.9], weight: [1, 1, 0.5, 0] };
const EXAMPLES: readonly Example[] = [
  { loss: 'BCE_WITH_LOGITS', settings: { positiveWeight: 3.5 }, ...binary },
  { loss: 'BCE_WITH_LOGITS', settings: { labelSmoothing: 0.2 }, ...binary },
  { loss: 'BCE_WITH_LOGITS', settings: { positiveWeight: 0.5, labelSmoothing: 0.1, ignoreIndex: 0 }, ...binary },
  { loss: 'SOFTMAX_CROSS_ENTROPY', settings: { classWeights: [1, 0.2, 4] }, ...classes },
  { loss: 'SOFTMAX_CROSS_ENTROPY', settings: { labelSmoothing: 0.3 }, ...classes },
  { loss: 'SOFTMAX_CROSS_ENTROPY', settings: { ignoreIndex: 2 }, ...classes },
  {
    loss: 'SOFTMAX_CROSS_ENTROPY',
    settings: { classWeights: [1, 0.2, 4], labelSmoothing: 0.1, ignoreIndex: 1 },
    ...classes,
  },
  { loss: 'FOCAL', settings: {}, ...binary },
  { loss: 'FOCAL', settings: { focalGamma: 0.5, positiveWeight: 2 }, ...binary },
  { loss: 'FOCAL', settings: { focalGamma: 0 }, ...classes },
  { loss: 'FOCAL', settings: { focalGamma: 1.5, classWeights: [1, 0.2, 4], ignoreIndex: 0 }, ...classes },
  { loss: 'HUBER', settings: {}, ...values },
  { loss: 'HUBER', settings: { huberDelta: 0.3 }, ...values },
];

describe.each(['CPU', 'WEBGPU'] as const)('losses in operations for %s', (target) => {
  for (const example of EXAMPLES)
    test(`${example.loss} ${JSON.stringify(example.settings)}`, async () => {
      expect(await ours(example, target)).toBeCloseTo(expected(example), 5);
      const { loss, settings, logits, labels, weight } = example;
      const [rows, width] = [labels.length, logits[0]?.length ?? 0];
      // ONNX Runtime's Softplus exists in float32 only.
      const type = target === 'CPU' && width === 1 && labelType(loss) === 'INT32' ? 'FLOAT' : 'DOUBLE';
      const worst = await checkGradient(
        {
          type,
          inputs: [{ dims: [rows, width], values: logits.flat() }],
          build: (z) => {
            const constant = z.graph.constant(type, [rows], weight);
            const truth = z.graph.constant(labelType(loss) === 'INT32' ? 'INT32' : type, [rows], labels);
            return meanLoss(loss, { logits: z, labels: truth, weight: constant }, { settings, target });
          },
        },
        load,
        { target },
      );
      expect(worst).toBeLessThan(type === 'FLOAT' ? 5e-3 : 1e-7);
    });

  test('extreme logits stay finite', async () => {
    const far = { logits: [[1000], [-1000], [90], [-90]], labels: [0, 1, 1, 0], weight: [1, 1, 1, 1], settings: {} };
    expect(await ours({ loss: 'BCE_WITH_LOGITS', ...far }, target)).toBeCloseTo(500, 2);
    expect(await ours({ loss: 'FOCAL', ...far }, target)).toBeCloseTo(500, 2);
    const wide = {
      logits: [
        [800, -800],
        [-90, 90],
      ],
      labels: [1, 1],
      weight: [1, 1],
      settings: {},
    };
    expect(await ours({ loss: 'SOFTMAX_CROSS_ENTROPY', ...wide }, target)).toBeCloseTo(800, 2);
  });

  test('a batch in which every row is ignored has the loss 0', async () => {
    const none = { logits: [[1], [2]], labels: [0, 0], weight: [1, 1], settings: { ignoreIndex: 0 } };
    expect(await ours({ loss: 'BCE_WITH_LOGITS', ...none }, target)).toBe(0);
  });
});

test('a loss refuses what it does not know', () => {
  expect(lossProblem('MSE', { labelSmoothing: 0.1 })).toBe('MSE knows no settings; got labelSmoothing');
  expect(lossProblem('BCE_WITH_LOGITS', { classWeights: [1, 2] })).toContain('BCE_WITH_LOGITS knows positiveWeight');
  expect(lossProblem('SOFTMAX_CROSS_ENTROPY', { classWeights: [1, 2] }, 3)).toContain('must be 3 numbers');
  expect(lossProblem('FOCAL', { positiveWeight: 2 }, 3)).toContain('two classes; there are 3');
  expect(lossProblem('FOCAL', { ignoreIndex: 3 }, 3)).toContain('below 3');
  expect(lossProblem('FOCAL', { positiveWeight: 2, focalGamma: 1 }, 2)).toBeNull();
  const g = new GraphBuilder('refused');
  const logits = g.input('z', 'FLOAT', [2, 3]);
  const batch = { logits, labels: g.input('y', 'INT32', [2]), weight: g.input('w', 'FLOAT', [2]) };
  const settings = { classWeights: [1, 2] };
  expect(() => meanLoss('SOFTMAX_CROSS_ENTROPY', batch, { settings })).toThrow('expected 3 classWeights; got 2');
  expect(() => meanLoss('MSE', { ...batch, labels: op.Cast(batch.labels, 'FLOAT') }, { settings })).toThrow(
    'MSE knows',
  );
});
