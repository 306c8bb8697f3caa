/** The data sets that bench/accuracy.ts measures on, each with the bar that it must reach. Knows no stack. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { sharedPath } from '../test/shared.ts';

/** One row of the bench: what is committed, what is asked of it, and what it must reach. */
export interface Data {
  name: string;
  files: { filename: string; bytes: () => Uint8Array<ArrayBuffer> }[];
  /** format, target, split, columns: as commitDatasetVersion takes them. */
  commit: object;
  /** What createExperiment is told beside the data; nothing = the defaults. */
  experiment?: object;
  /** What the median over the seeds must reach: accuracy, or R2. A lower bound, unless `above` is false. */
  bar: number;
  above?: false;
  /** scikit-learn's default MLP on the same split, or what is commonly published. */
  reference: number | null;
  seeds: number[];
  /** An instance that the edge must answer. */
  instance?: object;
}

const MOD5 = { testEvery: 5 };
const SEEDS = [1, 2, 3, 4, 5];

function shared(file: string): Data['files'][number] {
  const bytes = () => {
    const found = sharedPath(`data/${file}`);
    if (!found) throw new Error(`the shared data set ${file} is absent: this bench needs it`);
    return new Uint8Array(readFileSync(found));
  };
  return { filename: path.basename(file), bytes };
}

function csv(name: string, file: string, target: string, bar: number, reference: number): Data {
  return { name, files: [shared(file)], commit: { format: 'CSV', target, split: MOD5 }, bar, reference, seeds: SEEDS };
}

const ADULT_LABELS = ['<=50K', '>50K'].map((label) => ({ from: `${label}.`, to: label }));

/** Tables, with the defaults. */
export const TABLES: Data[] = [
  csv('iris', 'iris/iris.csv', 'species', 0.93, 0.967),
  csv('breast_cancer_wdbc', 'breast_cancer_wdbc/breast_cancer_wdbc.csv', 'diagnosis', 0.96, 0.991),
  csv('titanic', 'titanic/titanic.csv', 'Survived', 0.8, 0.872),
  csv('wine', 'wine/wine.csv', 'cultivar', 0.94, 1.0),
  {
    name: 'adult',
    files: [shared('adult/adult_train.csv.gz'), shared('adult/adult_test.csv.gz')],
    commit: {
      format: 'CSV',
      target: 'income',
      split: { files: ['TRAIN', 'TEST'] },
      columns: [{ name: 'income', values: ADULT_LABELS }],
    },
    bar: 0.845,
    reference: 0.855,
    seeds: SEEDS,
  },
  csv('california_housing', 'california_housing/california_housing.csv.gz', 'medianHouseValue', 0.78, 0.799),
];

const DIGITS: Pick<Data, 'files' | 'commit' | 'seeds' | 'instance'> = {
  files: [shared('digits_8x8/optdigits.csv.gz')],
  commit: {
    format: 'CSV',
    target: 'digit',
    split: MOD5,
    columns: [{ name: 'pixels', kind: 'TENSOR', from: 'p*', shape: [1, 8, 8] }],
  },
  seeds: [1],
  instance: { pixels: new Array(64).fill(8) },
};
const MNIST: Pick<Data, 'files' | 'commit' | 'seeds' | 'instance'> = {
  files: [shared('mnist/t10k-images-idx3-ubyte.gz'), shared('mnist/t10k-labels-idx1-ubyte.gz')],
  commit: { format: 'IDX', target: 'label', split: MOD5 },
  seeds: [1],
  instance: { image: [Array.from({ length: 28 }, () => new Array(28).fill(128))] },
};

/** Ids in any order, with 1 and 2 once each; the label is which of both comes first. No bag of tokens knows. */
function order(): Uint8Array<ArrayBuffer> {
  let state = 7;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator: the same rows everywhere
    return Math.floor((state / 2 ** 32) * n);
  };
  const rows = Array.from({ length: 6000 }, () => {
    const ids = Array.from({ length: 2 + below(23) }, () => 3 + below(30));
    const first = below(ids.length);
    const second = (first + 1 + below(ids.length - 1)) % ids.length;
    ids[first] = 1;
    ids[second] = 2;
    return JSON.stringify({ ids, label: first < second ? '1 first' : '2 first' });
  });
  return new Uint8Array(new TextEncoder().encode(rows.join('\n')));
}
const ORDER: Pick<Data, 'files' | 'commit' | 'seeds' | 'instance'> = {
  files: [{ filename: 'order.jsonl', bytes: order }],
  commit: { format: 'JSONL', target: 'label', split: MOD5 },
  seeds: [1],
  instance: { ids: [5, 1, 9, 2] },
};

const arch = (architecture: object, more: object = {}) => ({ experiment: { architecture, ...more } });
const mlpOfTokens = arch({ mlp: { hidden: [64] } }, { budget: { maxEpochs: 15 } });

/** Images and sequences through the networks that are made for them. */
export const NETWORKS: Data[] = [
  { name: 'digits_8x8_cnn', ...DIGITS, ...arch({ cnn: {} }), bar: 0.98, reference: 0.972 },
  { name: 'mnist_mlp', ...MNIST, ...arch({ mlp: {} }), bar: 0.93, reference: 0.944 },
  { name: 'mnist_cnn', ...MNIST, ...arch({ cnn: {} }), bar: 0.975, reference: 0.98 },
  { name: 'mnist_resnet', ...MNIST, ...arch({ resnet: {} }), bar: 0.98, reference: null },
  { name: 'mnist_inception', ...MNIST, ...arch({ inception: {} }), bar: 0.98, reference: null },
  { name: 'order_transformer', ...ORDER, ...arch({ transformer: {} }), bar: 0.99, reference: null },
  { name: 'order_mlp', ...ORDER, ...mlpOfTokens, bar: 0.6, above: false, reference: 0.5 },
];
