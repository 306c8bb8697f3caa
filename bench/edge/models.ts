/** What bench/edge.ts serves: artifacts as the trainer makes them, and the requests that ask them. */
import { createHash } from 'node:crypto';
import type { Manifest, TensorManifest } from '../../apps/edge/src/contract.ts';
import type { Architecture, Part, RunSpec, Table, TableColumn } from '../../apps/trainer/src/contract.ts';
import { column, runSpec, table } from '../../apps/trainer/src/data/testing.ts';
import { openEngine } from '../../apps/trainer/src/engine/index.ts';
import { GraphBuilder } from '../../apps/trainer/src/ir/builder.ts';
import { encodeModel } from '../../apps/trainer/src/ir/encode.ts';
import { make } from '../../apps/trainer/src/job/make.ts';
import { Random } from '../../apps/trainer/src/random.ts';
import { zoo } from '../../apps/trainer/src/zoo/index.ts';
import { infer } from '../../apps/trainer/src/zoo/inference.ts';
import { instance } from '../../examples/quickstart-data.ts';

export type Row = Record<string, string | number>;

/** A model of columns and rows that it understands. */
export interface TabularModel {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  manifest: Manifest;
  rows(count: number): Row[];
}

/** A model of one tensor of images. */
export interface ImageModel {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  manifest: TensorManifest;
  /** Pixels of `count` images, of three digits. */
  pixels(count: number): Float32Array<ArrayBuffer>;
}

export const IMAGE = { input: 'image', output: 'probabilities', shape: [1, 28, 28], classes: 10 } as const;

const TRAIN_ROWS = 600;
const CATEGORIES = [8, 16, 7, 14, 6, 5, 2, 41];
const NUMBERS = ['age', 'fnlwgt', 'education_num', 'capital_gain', 'capital_loss', 'hours_per_week'];

/** 6 numbers and 8 categories, as many of each as the adult census data has. */
export async function adultLike(): Promise<TabularModel> {
  const rows = (count: number, seed = 1) => {
    const random = Random.from(seed, 'adult');
    return Array.from({ length: count }, (): Row => {
      const numbers = NUMBERS.map((name) => [name, random.int(100)]);
      const texts = CATEGORIES.map((size, i) => [`category_${i}`, `a text of value ${random.int(size)}`]);
      return Object.fromEntries([...numbers, ...texts]);
    });
  };
  const of = tableOf(rows(TRAIN_ROWS, 2), (row) => Number(row.age) + Number(row.hours_per_week) > 100);
  return { name: 'adult-like', ...(await train(of, {})), rows };
}

/** The quick start's: 100 numbers, 64 hidden units. */
export async function quickStart(): Promise<TabularModel> {
  const rows = (count: number) => Array.from({ length: count }, (_, i) => instance('wide', i + 1));
  const of = tableOf(
    Array.from({ length: TRAIN_ROWS }, (_, i) => instance(i % 2 ? 'wide' : 'narrow', i)),
    (_, i) => i % 2 === 0,
  );
  return { name: 'quick start', ...(await train(of, {})), rows };
}

/** Two convolutions over 28x28 pixels; what it says is of no interest, so its weights are the initial ones. */
export function images(seed = 1): ImageModel {
  const architecture: Architecture = { cnn: { channels: [8, 16], kernel: 3, hidden: [], dropout: 0 } };
  const network = zoo(architecture, { input: { kind: 'TENSOR', shape: IMAGE.shape }, outputs: IMAGE.classes });
  const weights = { params: network.initialise(Random.from(seed, 'images')), buffers: network.initialBuffers() };
  const g = new GraphBuilder('images');
  const x = g.input(IMAGE.input, 'FLOAT', ['N', ...IMAGE.shape]);
  g.output(IMAGE.output, infer(x, { network, weights, task: 'MULTICLASS' }));
  const bytes = encodeModel(g.model());
  const manifest: TensorManifest = {
    formatVersion: 1,
    kind: 'TENSORS',
    artifact: { digest: createHash('sha256').update(bytes).digest('hex'), byteLength: bytes.byteLength },
    inputs: [{ name: IMAGE.input, datatype: 'FP32', shape: [-1, ...IMAGE.shape] }],
    outputs: [{ name: IMAGE.output, datatype: 'FP32', shape: [-1, IMAGE.classes] }],
  };
  const size = IMAGE.shape.reduce<number>((product, side) => product * side, 1);
  const pixels = (count: number) => {
    const random = Random.from(3, 'pixels');
    return Float32Array.from({ length: count * size }, () => random.int(1000) / 1000);
  };
  return { name: 'CNN', bytes, manifest, pixels };
}

function tableOf(rows: readonly Row[], isYes: (row: Row, i: number) => boolean): Table {
  const columns = Object.keys(rows[0] ?? {}).map(
    (name): TableColumn =>
      column(
        name,
        rows.map((row) => row[name] ?? null),
      ),
  );
  const labels = rows.map((row, i) => (isYes(row, i) ? 'yes' : 'no'));
  const parts = rows.map((_, i): Part => (i % 5 === 0 ? 'TEST' : i % 5 === 1 ? 'VALIDATION' : 'TRAIN'));
  return table(columns, labels, parts);
}

/** A short training: what the model has learned does not change what it costs. */
async function train(of: Table, fields: Partial<RunSpec>) {
  const { engine } = await openEngine('ORT_CPU', { threads: 1 });
  const spec = runSpec(of, {
    architecture: { mlp: { hidden: [64] } },
    budget: { maxEpochs: 2, maxSeconds: null, patience: null },
    ...fields,
  });
  const dataset = { columns: of.columns.map(({ name, kind }) => ({ name, kind })), missingValues: ['?'] };
  const quiet = { onBeat: () => {}, onStep: () => {}, onEpoch: () => {} };
  const { artifact, manifest } = await make({ engine, spec, table: of, dataset, from: null, ...quiet });
  return { bytes: artifact, manifest };
}
