/**
 * Held-out rows through the edge's own code: instances as a client would send them, the edge's parsing, its
 * WebAssembly, its labels. What comes out here is what every metric is computed from. Knows no API.
 */
import type { ClassPrediction, Manifest, Prediction } from '@anneal/edge/contract';
import type { OrtRuntime } from '@anneal/edge/engine';
import { predict, toPredictions } from '@anneal/edge/predict';
import { elementsOf, type Table, type TableColumn } from '../contract.ts';

type Cell = number | string | null | number[];
type Instance = Record<string, Cell>;

/** Batches of the size that the edge's largest request has, and no more numbers than its largest body holds. */
const ROWS_PER_CALL = 1000;
const NUMBERS_PER_CALL = 2 ** 20;

/** Predictions for rows of the table, in order. `beat` is called after each batch. */
export function predictAtEdge(
  runtime: OrtRuntime,
  o: { artifact: Uint8Array; manifest: Manifest; table: Table; rows: Uint32Array; beat: () => void },
): Prediction[] {
  const session = runtime.createSession(o.artifact);
  const manifest = withoutRenames(o.manifest);
  const columns = manifest.columns.filter((column) => column.used).map((column) => column.name);
  const predictions: Prediction[] = [];
  try {
    const step = rowsPerCall(o.table, columns);
    for (let start = 0; start < o.rows.length; start += step) {
      const rows = o.rows.subarray(start, start + step);
      predictions.push(...predict(session, manifest, instancesOf(o.table, rows, columns)));
      o.beat();
    }
  } finally {
    session.release();
  }
  return predictions;
}

/** The labels that the edge would give to these probabilities: the training engine's side of "same label". */
export function labelsAtEdge(manifest: Manifest, probabilities: Float32Array): number[] {
  const dims = [probabilities.length / (manifest.classes?.length ?? 1), manifest.classes?.length ?? 1];
  const said = toPredictions(manifest, { probabilities: { type: 'float32', dims, data: probabilities } });
  return said.map((prediction) => labelIndex(manifest, prediction));
}

/** Index of a prediction's label among the classes. */
export function labelIndex(manifest: Manifest, prediction: Prediction): number {
  return manifest.classes?.indexOf(asClass(prediction).label) ?? -1;
}

/** A prediction that must be one of classes. */
export function asClass(prediction: Prediction): ClassPrediction {
  if ('label' in prediction) return prediction;
  throw new Error('expected a prediction with a label, got a value');
}

/** The table's cells are renamed already; a second time could rename them back. */
function withoutRenames(manifest: Manifest): Manifest {
  return { ...manifest, columns: manifest.columns.map(({ values: _, ...column }) => column) };
}

function rowsPerCall(table: Table, columns: string[]): number {
  const largest = table.columns.reduce((width, column) => {
    if (!columns.includes(column.name)) return width;
    if (column.kind === 'TENSOR') return width + elementsOf(column.shape);
    return width + (column.kind === 'TOKENS' ? column.maxLength : 1);
  }, 0);
  return Math.min(ROWS_PER_CALL, Math.max(1, Math.floor(NUMBERS_PER_CALL / largest)));
}

function instancesOf(table: Table, rows: Uint32Array, columns: string[]): Instance[] {
  const instances = Array.from(rows, (): Instance => ({}));
  for (const name of columns) {
    const column = table.columns.find((c) => c.name === name);
    if (!column) throw new Error(`the table has no column "${name}"`);
    instances.forEach((instance, i) => {
      instance[name] = cellOf(column, rows[i] ?? 0);
    });
  }
  return instances;
}

/** A cell as a client would send it. */
function cellOf(column: TableColumn, row: number): Cell {
  switch (column.kind) {
    case 'NUMERIC':
      return Number.isNaN(column.values[row]) ? null : (column.values[row] ?? null);
    case 'TENSOR': {
      const size = elementsOf(column.shape);
      return Array.from(column.values.subarray(row * size, (row + 1) * size));
    }
    case 'TOKENS':
      return Array.from(column.values.subarray(column.offsets[row], column.offsets[row + 1]));
    default:
      return column.dictionary[column.codes[row] ?? -1] ?? null;
  }
}
