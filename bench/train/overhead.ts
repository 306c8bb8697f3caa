/**
 * What a whole run costs over its bare steps: `make` (preparation, shuffling, chunks, validation, metrics, a checkpoint
 * per epoch, the artifact) next to the same number of steps of the same network on batches that lie ready.
 * Arguments: rounds, "cpu" or "clock".
 */
import { compileTraining } from '../../apps/trainer/src/autodiff/compile.ts';
import type { Architecture, RunSpec, Table } from '../../apps/trainer/src/contract.ts';
import { runSpec, table, tensorColumn, tokensColumn } from '../../apps/trainer/src/data/testing.ts';
import { openEngine } from '../../apps/trainer/src/engine/index.ts';
import { encodeCheckpoint } from '../../apps/trainer/src/job/checkpoint.ts';
import { make } from '../../apps/trainer/src/job/make.ts';
import { initialState } from '../../apps/trainer/src/optim/state.ts';
import { Random } from '../../apps/trainer/src/random.ts';
import { type NetworkInput, zoo } from '../../apps/trainer/src/zoo/index.ts';

const [, , roundsGiven, clock] = process.argv;
const rounds = Number(roundsGiven ?? 3);
const CLASSES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

interface Case {
  name: string;
  table: Table;
  architecture: Architecture;
  input: NetworkInput;
  batchSize: number;
  epochs: number;
}

/** 70 % TRAIN, 15 % VALIDATION, 15 % TEST. */
const partOf = (row: number) => (row % 20 < 14 ? 'TRAIN' : row % 20 < 17 ? 'VALIDATION' : 'TEST');

function labelled(column: Parameters<typeof table>[0][number], rows: number): Table {
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return table(
    [column],
    numbers.map((row) => CLASSES[row % CLASSES.length] ?? 'a'),
    numbers.map(partOf),
  );
}

function cases(): Case[] {
  const random = Random.from(1, 'overhead');
  const rows = 2000;
  const images = Float32Array.from({ length: rows * 3072 }, () => random.normal());
  const sequences = Array.from({ length: rows }, () => Array.from({ length: 64 }, () => random.int(1998)));
  for (const row of [0, 1, 2]) sequences[row]?.fill(1997); // the largest id
  const encoder = { layers: 2, width: 128, heads: 4, feedForward: 512, dropout: 0 };
  return [
    {
      name: 'cnn 16/32/64 on 3x32x32, batch 32',
      table: labelled(tensorColumn('pixels', [3, 32, 32], images), rows),
      architecture: { cnn: { channels: [16, 32, 64], kernel: 3, hidden: [], dropout: 0 } },
      input: { kind: 'TENSOR', shape: [3, 32, 32] },
      batchSize: 32,
      epochs: 12,
    },
    {
      name: 'transformer, 2 layers of 128 on 64 tokens, batch 16',
      table: labelled(tokensColumn('tokens', sequences), rows),
      architecture: { transformer: { ...encoder, positions: 'LEARNED', norm: 'POST', pooling: 'MEAN' } },
      input: { kind: 'TOKENS', vocabulary: 2000, maxLength: 64 },
      batchSize: 16,
      epochs: 5,
    },
  ];
}

async function measured(work: () => Promise<void>): Promise<number> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return clock === 'cpu' ? (user + system) / 1000 : performance.now() - began;
}

const { engine } = await openEngine('ORT_CPU', { threads: 1 });
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function whole(one: Case, spec: RunSpec): Promise<void> {
  const dataset = { columns: one.table.columns.map(({ name, kind }) => ({ name, kind })), missingValues: [] };
  await make({
    engine,
    spec,
    table: one.table,
    dataset,
    from: null,
    onBeat: () => {},
    onStep: () => {},
    onEpoch: (_, progress) => void encodeCheckpoint(progress, '0'.repeat(64)),
  });
}

async function compare(one: Case): Promise<void> {
  const budget = { maxEpochs: one.epochs, maxSeconds: null, patience: null };
  const spec = runSpec(one.table, { architecture: one.architecture, batchSize: one.batchSize, budget });
  const steps = Math.ceil((one.table.rowCount * 0.7) / one.batchSize) * one.epochs;
  const network = zoo(one.architecture, { input: one.input, outputs: CLASSES.length });
  const program = compileTraining({ network, loss: spec.loss, optimizer: spec.optimizer, batchSize: one.batchSize });
  const trainer = await engine.trainer(program);
  const held = await engine.hold(initialState(program, network.initialise(Random.from(1, 'init'))));
  const random = Random.from(2, 'bare');
  const rows = 8 * one.batchSize;
  const size = program.row.reduce((product, dim) => product * dim, 1);
  const chunk = {
    x:
      one.input.kind === 'TOKENS'
        ? Int32Array.from({ length: rows * size }, () => 1 + random.int(1998))
        : Float32Array.from({ length: rows * size }, () => random.normal()),
    y: Int32Array.from({ length: rows }, () => random.int(CLASSES.length)),
    weight: new Float32Array(rows).fill(1),
    learningRate: 1e-3,
  };
  const bare: number[] = [];
  const run: number[] = [];
  for (let round = 0; round < rounds; round++) {
    run.push((await measured(() => whole(one, spec))) / steps);
    bare.push(
      (await measured(async () => {
        for (let done = 0; done < steps; done += 8) await trainer.step(held, chunk);
      })) /
        (Math.ceil(steps / 8) * 8),
    );
  }
  await trainer.close();
  const [ours, least] = [median(run), median(bare)];
  const share = (100 * (ours / least - 1)).toFixed(1);
  console.log(
    `  ${one.name}: ${least.toFixed(2)} ms bare, ${ours.toFixed(2)} ms of a run (${steps} steps): +${share} %`,
  );
}

for (const one of cases()) await compare(one);
