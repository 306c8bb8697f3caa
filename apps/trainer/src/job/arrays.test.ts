/** From tensors and sequences to an artifact that the edge answers with. */
import { nodeRuntime } from '@anneal/edge/engine/node';
import { predict } from '@anneal/edge/predict';
import { describe, expect, test } from 'vitest';
import type { Part, RunSpec, Table } from '../contract.ts';
import { runSpec, table, tensorColumn, tokensColumn } from '../data/testing.ts';
import { type Engine, openEngine } from '../engine/index.ts';
import { Random } from '../random.ts';
import { decodeCheckpoint, encodeCheckpoint, type Progress } from './checkpoint.ts';
import { sha256 } from './digest.ts';
import type { EpochReport } from './fit.ts';
import { make } from './make.ts';
import { evaluateAtEdge, type Made } from './publish.ts';

const ROWS = 300;
const random = Random.from(23, 'arrays');
const part = (i: number): Part => (i % 5 === 0 ? 'TEST' : i % 5 === 1 ? 'VALIDATION' : 'TRAIN');
const parts = Array.from({ length: ROWS }, (_, i) => part(i));

/** Bytes on two channels; the class is which half of the first channel is brighter. */
const bright = Array.from({ length: ROWS }, () => random.int(2));
const pixels = Uint8Array.from({ length: ROWS * 2 * 4 * 4 }, (_, at) => {
  const [row, channel, column] = [Math.floor(at / 32), Math.floor((at % 32) / 16), at % 4];
  return random.int(100) + (channel === 0 && column < 2 === (bright[row] === 1) ? 100 : 0);
});
const images = table(
  [tensorColumn('image', [2, 4, 4], pixels)],
  bright.map((left) => (left ? 'left' : 'right')),
  parts,
);

/** Sequences of 1 to 20 tokens; the class is whether token 3 is among them. */
const sentences = Array.from({ length: ROWS }, (_, i) => {
  const length = 1 + random.int(i % 3 ? 6 : 20);
  const words = Array.from({ length }, () => 4 + random.int(20));
  if (i % 2) words[random.int(length)] = 3;
  return words;
});
const words = table(
  [tokensColumn('words', sentences)],
  sentences.map((sentence) => (sentence.includes(3) ? 'yes' : 'no')),
  parts,
);

const engine: Engine = (await openEngine('ORT_CPU', { threads: 1 })).engine;
const BUDGET = { maxEpochs: 30, maxSeconds: null, patience: null };

interface Watch {
  from?: Progress | null;
  onEpoch?: (report: EpochReport, progress: Progress) => void;
}
function train(of: Table, fields: Partial<RunSpec> = {}, { from = null, onEpoch = () => {} }: Watch = {}) {
  const columns = of.columns.map(({ name, kind }) => ({ name, kind }));
  const spec = runSpec(of, { budget: BUDGET, ...fields });
  const quiet = { onBeat: () => {}, onStep: () => {} };
  return make({ engine, spec, table: of, dataset: { columns, missingValues: [] }, from, onEpoch, ...quiet });
}

async function accuracyOf(of: Table, made: Made) {
  const { predictions, parity } = await evaluateAtEdge(await nodeRuntime(), made, () => {});
  if (predictions.kind !== 'CLASSES') throw new Error('expected classes');
  const right = predictions.rows.filter((row, i) => of.target.codes?.[row] === predictions.labels[i]).length;
  return { accuracy: right / predictions.rows.length, parity };
}

describe.each<[string, Partial<RunSpec>]>([
  ['mlp', { architecture: { mlp: { hidden: [16] } } }],
  ['cnn', { architecture: { cnn: { channels: [8], kernel: 3, hidden: [16], dropout: 0 } } }],
])('images through %s', (_name, fields) => {
  test('are learned, and the edge takes raw numbers, nested or flat', async () => {
    const made = await train(images, fields);
    const { accuracy, parity } = await accuracyOf(images, made);
    expect(accuracy).toBeGreaterThan(0.9);
    expect(parity).toMatchObject({ rows: ROWS / 5, labelAgreement: 1 });
    expect(made.manifest).toMatchObject({
      columns: [{ name: 'image', kind: 'TENSOR', used: true, shape: [2, 4, 4] }],
      inputs: [{ name: 'image', column: 'image', type: 'float32', shape: [2, 4, 4] }],
    });
    const session = (await nodeRuntime()).createSession(made.artifact);
    const flat = Array.from(pixels.subarray(0, 32));
    const nested = [0, 16].map((c) => [0, 4, 8, 12].map((r) => flat.slice(c + r, c + r + 4)));
    const [a, b] = predict(session, made.manifest, [{ image: flat }, { image: nested }]);
    expect(a).toEqual(b);
    session.release();
  });
});

describe.each<[string, Partial<RunSpec>]>([
  ['mlp', { architecture: { mlp: { hidden: [16] } } }],
  [
    'transformer',
    {
      architecture: {
        transformer: {
          ...{ layers: 1, width: 16, heads: 2, feedForward: 32, dropout: 0 },
          ...{ positions: 'LEARNED', norm: 'PRE', pooling: 'MEAN' },
        },
      },
    },
  ],
])('sequences through %s', (_name, fields) => {
  test('are learned in batches of like length, and the edge answers whatever their length', async () => {
    const made = await train(words, { ...fields, optimizer: { ...runSpec(words).optimizer, learningRate: 0.02 } });
    const { accuracy, parity } = await accuracyOf(words, made);
    expect(accuracy).toBeGreaterThan(0.9);
    expect(parity).toMatchObject({ rows: ROWS / 5, labelAgreement: 1 });
    expect(made.manifest.inputs).toMatchObject([{ name: 'words', type: 'int32' }]);
    const session = (await nodeRuntime()).createSession(made.artifact);
    const short = { words: [3, 5] };
    const [alone] = predict(session, made.manifest, [short]);
    const [padded, long] = predict(session, made.manifest, [short, { words: Array.from({ length: 20 }, () => 999) }]);
    if (!alone || !padded || !('score' in alone) || !('score' in padded)) throw new Error('expected classes');
    expect(padded.label).toBe(alone.label);
    expect(padded.score).toBeCloseTo(alone.score, 5);
    expect(long).toHaveProperty('label');
    session.release();
  });

  test('the same spec gives the same bytes, also when resumed', async () => {
    const short = { ...fields, budget: { maxEpochs: 4, maxSeconds: null, patience: null } };
    const saved: Uint8Array[] = [];
    const onEpoch = (_: EpochReport, progress: Progress) => void saved.push(encodeCheckpoint(progress, 'digest'));
    const whole = await train(words, short, { onEpoch });
    const from = decodeCheckpoint(saved[1] ?? new Uint8Array(), 'digest');
    expect(sha256((await train(words, short, { from })).artifact)).toBe(sha256(whole.artifact));
  });
});
