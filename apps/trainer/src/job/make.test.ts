import { nodeRuntime } from '@anneal/edge/engine/node';
import { describe, expect, test } from 'vitest';
import type { Part, RunSpec, Table } from '../contract.ts';
import { column, runSpec, table } from '../data/testing.ts';
import { type Engine, openEngine } from '../engine/index.ts';
import { readMetadata } from '../ir/metadata.ts';
import { Random } from '../random.ts';
import { decodeCheckpoint, encodeCheckpoint, type Progress } from './checkpoint.ts';
import { sha256 } from './digest.ts';
import type { EpochReport } from './fit.ts';
import { make } from './make.ts';
import { evaluateAtEdge, type Made } from './publish.ts';

const ROWS = 400;
const parts = Array.from(
  { length: ROWS },
  (_, i): Part => (i % 5 === 0 ? 'TEST' : i % 5 === 1 ? 'VALIDATION' : 'TRAIN'),
);
const random = Random.from(11, 'tables');
const draw = () => Array.from({ length: ROWS }, () => random.normal());

/** Two numbers with gaps and a category that decide the class together. */
const [a, b] = [draw(), draw()];
const shade = Array.from({ length: ROWS }, (_, i) => (['red', 'green', 'blue'] as const)[i % 3] ?? 'red');
const classes = table(
  [
    column(
      'a',
      a.map((value, i) => (i % 17 === 0 ? null : value)),
    ),
    column('b', b),
    column('shade', shade),
  ],
  a.map((value, i) => (value + (b[i] ?? 0) + (shade[i] === 'red' ? 2 : 0) > 0.5 ? 'yes' : 'no')),
  parts,
);
const values = table(
  [column('a', a), column('b', b), column('shade', shade)],
  a.map((value, i) => 300_000 + 50_000 * (value * (b[i] ?? 0) + (shade[i] === 'blue' ? 1 : 0))),
  parts,
);

const engine: Engine = (await openEngine('ORT_CPU', { threads: 1 })).engine;
const datasetOf = (of: Table) => ({
  columns: [...of.columns.map(({ name, kind }) => ({ name, kind })), { name: 'id', kind: 'IGNORE' as const }],
  missingValues: ['?'],
});

interface Watch {
  from?: Progress | null;
  onEpoch?: (report: EpochReport, progress: Progress) => void;
}
function train(of: Table, fields: Partial<RunSpec> = {}, { from = null, onEpoch = () => {} }: Watch = {}) {
  const spec = runSpec(of, fields);
  const quiet = { onBeat: () => {}, onStep: () => {} };
  return make({ engine, spec, table: of, dataset: datasetOf(of), from, onEpoch, ...quiet });
}
const evaluate = async (made: Made) => evaluateAtEdge(await nodeRuntime(), made, () => {});

const ENOUGH = { maxEpochs: 60, maxSeconds: null, patience: 15 };

describe('make', () => {
  test('learns classes, and the edge agrees with the training engine', async () => {
    const made = await train(classes, { budget: ENOUGH });
    const { predictions, parity } = await evaluate(made);
    if (predictions.kind !== 'CLASSES') throw new Error('expected classes');
    const right = predictions.rows.filter((row, i) => classes.target.codes?.[row] === predictions.labels[i]).length;
    expect(predictions.rows).toHaveLength(ROWS / 5);
    expect(right / predictions.rows.length).toBeGreaterThan(0.9);
    expect(parity).toMatchObject({ engine: 'ORT_CPU', rows: ROWS / 5, labelAgreement: 1 });
    expect(parity.maxAbsDiff).toBeLessThan(1e-5);
  });

  test('learns values in the unit of the target', async () => {
    const budget = { maxEpochs: 150, maxSeconds: null, patience: null };
    const { predictions, parity } = await evaluate(
      await train(values, { budget, architecture: { mlp: { hidden: [32] } } }),
    );
    if (predictions.kind !== 'VALUES') throw new Error('expected values');
    const truth = predictions.rows.map((row) => values.target.values?.[row] ?? Number.NaN);
    const mean = truth.reduce((sum, y) => sum + y / truth.length, 0);
    const error = truth.reduce((sum, y, i) => sum + (y - (predictions.values[i] ?? Number.NaN)) ** 2, 0);
    const spread = truth.reduce((sum, y) => sum + (y - mean) ** 2, 0);
    expect(1 - error / spread).toBeGreaterThan(0.85);
    expect(parity.labelAgreement).toBeNull();
  });

  test('gives the same bytes for the same spec, others for another seed', async () => {
    const fields = { budget: { maxEpochs: 5, maxSeconds: null, patience: null } };
    const digests = await Promise.all(
      [fields, fields, { ...fields, seed: 2 }].map(async (own) => sha256((await train(classes, own)).artifact)),
    );
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  test('resumed from any checkpoint, it ends with the same bytes and stops in the same epoch', async () => {
    const fields = { budget: { maxEpochs: 40, maxSeconds: null, patience: 4 }, optimizer: runSpec(classes).optimizer };
    const saved: Uint8Array[] = [];
    const onEpoch = (_: EpochReport, progress: Progress) => void saved.push(encodeCheckpoint(progress, 'digest'));
    const whole = await train(classes, fields, { onEpoch });
    for (const bytes of [saved[0], saved[6], saved.at(-1)]) {
      const from = decodeCheckpoint(bytes ?? new Uint8Array(), 'digest');
      const resumed = await train(classes, fields, { from });
      expect(sha256(resumed.artifact)).toBe(sha256(whole.artifact));
      expect(resumed.progress.epoch).toBe(whole.progress.epoch);
    }
  });

  test('stops when validation has not improved for `patience` epochs and keeps the best', async () => {
    const reports: EpochReport[] = [];
    const budget = { maxEpochs: 500, maxSeconds: null, patience: 5 };
    const fields = { budget, objective: 'LOG_LOSS' as const };
    const { stop, progress } = await train(classes, fields, { onEpoch: (report) => reports.push(report) });
    expect(stop).toBe('PATIENCE');
    const losses = reports.map((report) => report.validation?.loss ?? Number.NaN);
    expect(progress.best?.epoch).toBe(losses.indexOf(Math.min(...losses)) + 1);
    expect(progress.epoch).toBe((progress.best?.epoch ?? 0) + 5);
    expect(reports.map((report) => report.epoch)).toEqual(losses.map((_, i) => i + 1));
  });

  test('without validation rows it trains to the end and takes the last state', async () => {
    const all = { ...classes, split: classes.split.map((part) => (part === 1 ? 0 : part)) };
    const budget = { maxEpochs: 3, maxSeconds: null, patience: 1 };
    const { stop, progress, manifest } = await train(all, { budget, objective: 'F1_MACRO' });
    expect({ stop, epoch: progress.epoch, best: progress.best }).toEqual({ stop: 'MAX_EPOCHS', epoch: 3, best: null });
    expect(manifest.threshold).toBe(0.5);
  });

  test('a budget of steps cuts the last epoch, and resuming before it changes nothing', async () => {
    const fields = { batchSize: 32, budget: { maxEpochs: 100, maxSteps: 20, maxSeconds: null, patience: null } };
    const saved: Progress[] = [];
    const reports: EpochReport[] = [];
    const onEpoch = (report: EpochReport, progress: Progress) => {
      reports.push(report);
      saved.push(progress);
    };
    const whole = await train(classes, fields, { onEpoch });
    expect([whole.stop, whole.progress.state.step]).toEqual(['MAX_STEPS', 20]);
    expect(reports.map(({ step }) => step)).toEqual([8, 16, 20]); // 240 rows are 8 batches
    for (const from of [saved[0], saved[2]]) {
      const resumed = await train(classes, fields, { from: from ?? null });
      expect(sha256(resumed.artifact)).toBe(sha256(whole.artifact));
    }
  });

  test('ends at a wall-clock budget', async () => {
    const { stop, progress } = await train(classes, {
      budget: { maxEpochs: 100_000, maxSeconds: 0.05, patience: null },
    });
    expect(stop).toBe('MAX_SECONDS');
    expect(progress.epoch).toBeLessThan(100_000);
  });

  test('says where it diverged', async () => {
    const optimizer = { kind: 'SGD', learningRate: 1e30, momentum: 0, weightDecay: 0 } as const;
    await expect(train(values, { optimizer })).rejects.toMatchObject({
      code: 'DIVERGED',
      message: expect.stringMatching(/no finite number at step \d+\. The last finite loss was [\d.]+/),
    });
  });
});

describe('the artifact', () => {
  test('says what it is and nothing of when or by whom it was made', async () => {
    const made = await train(classes, {
      positiveClass: 'no',
      budget: { maxEpochs: 1, maxSeconds: null, patience: null },
    });
    const metadata = readMetadata(made.artifact);
    expect([...metadata.keys()]).toEqual([
      'anneal.task',
      'anneal.inputs',
      'anneal.target',
      'anneal.classes',
      'anneal.positive_class',
      'anneal.threshold',
      'anneal.dataset_digest',
      'anneal.run_spec_digest',
    ]);
    expect(metadata.get('anneal.classes')).toBe('["no","yes"]');
    expect(metadata.get('anneal.positive_class')).toBe('"no"');
    expect(made.manifest).toMatchObject({
      task: 'BINARY',
      positiveClass: 'no',
      threshold: 0.5,
      output: 'probabilities',
      missingValues: ['?'],
      artifact: { digest: sha256(made.artifact), byteLength: made.artifact.byteLength },
      columns: [
        { name: 'a', kind: 'NUMERIC', used: true },
        { name: 'b', kind: 'NUMERIC', used: true },
        { name: 'shade', kind: 'CATEGORICAL', used: true, categories: ['blue', 'green', 'red'] },
        { name: 'id', kind: 'IGNORE', used: false },
      ],
      inputs: [
        { name: 'numbers', columns: ['a', 'b'], type: 'double' },
        { name: 'texts', columns: ['shade'], type: 'string' },
      ],
    });
  });

  test('a positive class of index 0 leaves the outputs in class order', async () => {
    const budget = { maxEpochs: 20, maxSeconds: null, patience: null };
    const [yes, no] = await Promise.all(
      ['yes', 'no'].map(async (positiveClass) => evaluate(await train(classes, { budget, positiveClass }))),
    );
    expect(no?.predictions).toEqual(yes?.predictions);
  });
});
