/** Small tables written by hand, for tests. */
import type { Feature, Part, RunSpec, Table, TableColumn, TensorColumn, TokensColumn } from '../contract.ts';
import { PARTS } from '../contract.ts';

/** A column from cells: numbers make it NUMERIC, texts CATEGORICAL; null is missing. */
export function column(name: string, cells: readonly (number | string | null)[]): TableColumn {
  if (!cells.some((cell) => typeof cell === 'string'))
    return {
      name,
      kind: 'NUMERIC',
      values: Float64Array.from(cells, (cell) => (cell === null ? Number.NaN : Number(cell))),
    };
  const dictionary = [...new Set(cells.flatMap((cell) => (cell === null ? [] : [String(cell)])))].sort();
  const codes = Int32Array.from(cells, (cell) => (cell === null ? -1 : dictionary.indexOf(String(cell))));
  return { name, kind: 'CATEGORICAL', dictionary, codes };
}

/** A table of these columns. Targets of texts are classes, of numbers values. */
export function table(columns: TableColumn[], target: readonly (string | number)[], parts: readonly Part[]): Table {
  const classes = [...new Set(target.map(String))].sort();
  const texts = typeof target[0] === 'string';
  return {
    rowCount: target.length,
    columns,
    target: {
      name: 'target',
      classes: texts ? classes : null,
      codes: texts ? Int32Array.from(target, (cell) => classes.indexOf(String(cell))) : null,
      values: texts ? null : Float64Array.from(target, Number),
    },
    rows: Uint32Array.from(target, (_, row) => row),
    split: Uint8Array.from(parts, (part) => PARTS.indexOf(part)),
  };
}

/** A column of tensors: `values` of all rows, one behind the other. */
export function tensorColumn(name: string, shape: number[], values: Float32Array | Uint8Array): TensorColumn {
  return { name, kind: 'TENSOR', shape, values };
}

/** A column of sequences. */
export function tokensColumn(name: string, sequences: readonly number[][]): TokensColumn {
  const offsets = new Uint32Array(sequences.length + 1);
  for (const [row, { length }] of sequences.entries()) offsets[row + 1] = (offsets[row] ?? 0) + length;
  const values = Int32Array.from(sequences.flat());
  const maxLength = sequences.reduce((max, { length }) => Math.max(max, length), 1);
  const vocabulary = values.reduce((max, id) => Math.max(max, id), 0) + 1;
  return { name, kind: 'TOKENS', vocabulary, maxLength, offsets, values };
}

function featureOf(column: TableColumn): Feature[] {
  const { name } = column;
  if (column.kind === 'TENSOR') return [{ name, kind: column.kind, shape: column.shape }];
  if (column.kind === 'TOKENS') {
    const { kind, vocabulary, maxLength } = column;
    return [{ name, kind, vocabulary, maxLength }];
  }
  return column.kind === 'TEXT' ? [] : [{ name, kind: column.kind }];
}

/** A RunSpec for a table, with the fields that the test is about put over it. */
export function runSpec(of: Table, fields: Partial<RunSpec> = {}): RunSpec {
  const { classes, name } = of.target;
  const task = classes === null ? 'REGRESSION' : classes.length === 2 ? 'BINARY' : 'MULTICLASS';
  const losses = { REGRESSION: 'MSE', BINARY: 'BCE_WITH_LOGITS', MULTICLASS: 'SOFTMAX_CROSS_ENTROPY' } as const;
  return {
    formatVersion: 1,
    datasetDigest: '0'.repeat(64),
    task,
    target: name,
    classes,
    positiveClass: task === 'BINARY' ? (classes?.at(-1) ?? null) : null,
    features: of.columns.flatMap(featureOf),
    architecture: { mlp: { hidden: [16] } },
    loss: losses[task],
    optimizer: { kind: 'ADAMW', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    batchSize: 32,
    preprocessing: 'AUTO',
    objective: task === 'REGRESSION' ? 'RMSE' : 'ACCURACY',
    engine: 'AUTO',
    threads: 1,
    seed: 1,
    budget: { maxEpochs: 20, maxSeconds: null, patience: null },
    ...fields,
  };
}
