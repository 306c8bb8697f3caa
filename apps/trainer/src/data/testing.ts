/** Small tables written by hand, for tests. */
import type { Part, RunSpec, Table, TableColumn } from '../contract.ts';
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
    features: of.columns.flatMap((c) => (c.kind === 'TEXT' ? [] : [{ name: c.name, kind: c.kind }])),
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
