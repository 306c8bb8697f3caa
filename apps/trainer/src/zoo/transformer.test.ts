/** What a transformer is for: a task in which the order of tokens is everything, trained as a run is trained. */

import { nodeRuntime } from '@anneal/edge/engine/node';
import { expect, test } from 'vitest';
import type { Architecture, Part } from '../contract.ts';
import { runSpec, table, tokensColumn } from '../data/testing.ts';
import { openEngine } from '../engine/index.ts';
import { make } from '../job/make.ts';
import { evaluateAtEdge } from '../job/publish.ts';
import { Random } from '../random.ts';

/** 6 to 16 tokens, among them the markers 0 and 1 once each; the label says which of them comes first. */
function markers(rows: number) {
  const random = Random.from(5, 'order');
  const sequences: number[][] = [];
  const labels = Array.from({ length: rows }, () => {
    const length = 6 + random.int(11);
    const sequence = Array.from({ length }, () => 2 + random.int(18));
    const [zero = 0, one = 0] = random.permutation(length);
    sequence[zero] = 0;
    sequence[one] = 1;
    sequences.push(sequence);
    return zero < one ? 'zero' : 'one';
  });
  const part = (row: number): Part => (row % 5 === 0 ? 'TEST' : row % 5 === 1 ? 'VALIDATION' : 'TRAIN');
  return table(
    [tokensColumn('tokens', sequences)],
    labels,
    labels.map((_, row) => part(row)),
  );
}

const data = markers(2000);

/** Share of test rows that the edge's code labels right with the artifact. */
async function accuracyOf(architecture: Architecture): Promise<number> {
  const { engine } = await openEngine('ORT_CPU', { threads: 1 });
  const spec = runSpec(data, {
    architecture,
    batchSize: 64,
    objective: 'LOG_LOSS',
    optimizer: { kind: 'ADAMW', learningRate: 3e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    budget: { maxEpochs: 40, maxSeconds: null, patience: 10 },
  });
  const dataset = { columns: [{ name: 'tokens', kind: 'TOKENS' as const }], missingValues: [] };
  const quiet = { onBeat: () => {}, onStep: () => {}, onEpoch: () => {} };
  const made = await make({ engine, spec, table: data, dataset, from: null, ...quiet });
  const { predictions } = await evaluateAtEdge(await nodeRuntime(), made, () => {});
  if (predictions.kind !== 'CLASSES') throw new Error('expected classes');
  const right = predictions.rows.filter((row, i) => data.target.codes?.[row] === predictions.labels[i]);
  return right.length / predictions.rows.length;
}

test('a transformer learns which of two tokens comes first; a bag of tokens cannot', async () => {
  const small = { layers: 1, width: 32, heads: 2, feedForward: 64, dropout: 0 };
  const kinds = { positions: 'LEARNED', norm: 'PRE', pooling: 'MEAN' } as const;
  expect(await accuracyOf({ transformer: { ...small, ...kinds } })).toBeGreaterThanOrEqual(0.99);
  expect(await accuracyOf({ mlp: { hidden: [64] } })).toBeLessThanOrEqual(0.6);
}, 60_000);
