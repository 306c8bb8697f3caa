/** Schedules, averages, clipping and parts of steps through a whole run: same bytes, resumed or not. */
import { expect, test } from 'vitest';
import type { Part, RunSpec } from '../contract.ts';
import { column, runSpec, table } from '../data/testing.ts';
import { openEngine } from '../engine/index.ts';
import { Random } from '../random.ts';
import { decodeCheckpoint, encodeCheckpoint, type Progress } from './checkpoint.ts';
import { sha256 } from './digest.ts';
import type { EpochReport } from './fit.ts';
import { make } from './make.ts';

const ROWS = 150;
const random = Random.from(3, 'rows');
const draw = () => Array.from({ length: ROWS }, () => random.normal());
const [a, b] = [draw(), draw()];
const parts = a.map((_, i): Part => (['TRAIN', 'TRAIN', 'TRAIN', 'VALIDATION', 'TEST'] as const)[i % 5] ?? 'TRAIN');
const rows = table(
  [column('a', a), column('b', b)],
  a.map((value, i) => (value * (b[i] ?? 0) > 0 ? 'yes' : 'no')),
  parts,
);
const { engine } = await openEngine('ORT_CPU', { threads: 1 });

const FIELDS: Partial<RunSpec> = {
  loss: 'FOCAL',
  lossSettings: { positiveWeight: 1.5, focalGamma: 1 },
  optimizer: { kind: 'LION', learningRate: 0.01, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 },
  schedule: { warmupSteps: 5, decay: { kind: 'COSINE', floor: 0.1 } },
  clipNorm: 0.5,
  accumulate: 3,
  ema: 0.9,
  batchSize: 16,
  budget: { maxEpochs: 8, maxSeconds: null, patience: null },
};

async function run(from: Progress | null = null) {
  const reports: EpochReport[] = [];
  const saved: Uint8Array[] = [];
  const made = await make({
    engine,
    spec: runSpec(rows, FIELDS),
    table: rows,
    dataset: { columns: rows.columns.map(({ name, kind }) => ({ name, kind })), missingValues: [] },
    from,
    onBeat: () => {},
    onStep: () => {},
    onEpoch: (report, progress) => {
      reports.push(report);
      saved.push(encodeCheckpoint(progress, 'digest'));
    },
  });
  return { digest: sha256(made.artifact), reports, saved };
}

test('a run with all of them ends with the same bytes, from the start or from a checkpoint', async () => {
  const whole = await run();
  const from = decodeCheckpoint(whole.saved[3] ?? new Uint8Array(), 'digest');
  expect(from.state.ema).toHaveLength(from.state.params.length);
  expect((await run(from)).digest).toBe(whole.digest);
  expect((await run()).digest).toBe(whole.digest);
  // 90 rows by 18 (16, rounded up to three equal parts): five steps an epoch, 40 in all.
  expect(whole.reports.map(({ step }) => step)).toEqual([5, 10, 15, 20, 25, 30, 35, 40]);
  const rates = whole.reports.map(({ learningRate }) => learningRate);
  expect(rates[0]).toBeCloseTo(0.01, 12);
  expect(rates.at(-1)).toBeCloseTo(0.001, 12);
  expect(rates).toEqual(rates.toSorted((x, y) => y - x));
});
