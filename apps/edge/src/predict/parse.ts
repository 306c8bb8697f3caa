/** Instances (JSON objects by column name) -> the tensors of a model's inputs. Knows no model, only its manifest. */
import { columnInputs, type Manifest, type ManifestInput } from '../contract.ts';
import type { Feeds, Tensor } from '../engine/tensor.ts';
import { type ArrayReader, BadArray, tensorReader, tokensReader } from './arrays.ts';
import { BadCell, numberReader, textReader } from './cells.ts';
import { fieldPath, PredictError, quote } from './errors.ts';
import { nearestName } from './nearest.ts';

/** A row by column name, as JSON gives it. */
export type Instance = Readonly<Record<string, unknown>>;

/** How one column's cells are read. */
interface CellReader<T> {
  column: string;
  read: (value: unknown) => T | BadCell;
}
type InputReader = { input: string } & (
  | { type: 'double'; cells: CellReader<number>[] }
  | { type: 'string'; cells: CellReader<string>[] }
  | { type: 'float32'; column: string; shape: readonly number[]; read: ArrayReader<Float32Array> }
  | { type: 'int32'; column: string; length: number; read: ArrayReader<Int32Array> }
);
interface Plan {
  /** All columns of the dataset and the target: a client may send whole rows. */
  accepted: ReadonlySet<string>;
  /** How many columns the model reads. */
  used: number;
  readers: InputReader[];
  /** For one row of scalars: its tensors, used again and again. */
  row: Feeds | undefined;
}

/** Manifests are immutable and serve many requests: their look-up tables are made once. */
const plans = new WeakMap<Manifest, Plan>();

/** What a caller may send; absent = anything. */
export interface ParseLimits {
  /** Characters of one text. */
  textLength?: number;
}

/**
 * Reads instances column by column into the feeds of the model's inputs, one tensor each.
 * Every used column must be present; null and the manifest's missing texts mean missing (arrays cannot be missing);
 * unused columns and the target may be present and are not looked at.
 * @throws PredictError UNKNOWN_COLUMN, MISSING_COLUMN, INVALID_VALUE or TEXT_TOO_LONG.
 */
export function parseInstances(
  manifest: Manifest,
  instances: readonly Instance[],
  { textLength = Number.POSITIVE_INFINITY }: ParseLimits = {},
): Feeds {
  const plan = planFor(manifest);
  // Entries, not assignments: an input may be called "__proto__".
  return read(plan, manifest, instances, () =>
    Object.fromEntries(plan.readers.map((reader) => [reader.input, readInput(reader, instances, textLength)])),
  );
}

/**
 * Like parseInstances, for feeds that are run at once: one row of scalars is read into the same tensors each time,
 * which the next call overwrites. Making a hundred small arrays costs as much as reading them.
 */
export function readForRun(manifest: Manifest, instances: readonly Instance[], limits: ParseLimits = {}): Feeds {
  const plan = planFor(manifest);
  const { row } = plan;
  if (instances.length !== 1 || !row) return parseInstances(manifest, instances, limits);
  return read(plan, manifest, instances, () => {
    for (const reader of plan.readers) {
      const data = row[reader.input]?.data;
      if (reader.type === 'double') fill(reader.cells, data as Float64Array, instances, limits.textLength);
      else if (reader.type === 'string') fill(reader.cells, data as string[], instances, limits.textLength);
    }
    return row;
  });
}

/**
 * Reads rows whose names are known. A row of as many columns as the model reads has all of them, or reading it fails:
 * then a wrong name is the better thing to say.
 */
function read(plan: Plan, manifest: Manifest, instances: readonly Instance[], cells: () => Feeds): Feeds {
  if (!instances.every((instance) => Object.keys(instance).length === plan.used))
    refuseUnknownColumns(plan, manifest, instances);
  try {
    return cells();
  } catch (error) {
    refuseUnknownColumns(plan, manifest, instances);
    throw error;
  }
}

function planFor(manifest: Manifest): Plan {
  const known = plans.get(manifest);
  if (known) return known;
  const plan = planOf(manifest);
  plans.set(manifest, plan);
  return plan;
}

function rowFeeds(readers: readonly InputReader[]): Feeds | undefined {
  const feeds: [string, Tensor][] = [];
  for (const { input, ...reader } of readers) {
    if (reader.type !== 'double' && reader.type !== 'string') return undefined;
    const dims = [1, reader.cells.length];
    if (reader.type === 'string') feeds.push([input, { type: 'string', dims, data: reader.cells.map(() => '') }]);
    else feeds.push([input, { type: 'float64', dims, data: new Float64Array(reader.cells.length) }]);
  }
  return Object.fromEntries(feeds);
}

function readInput(reader: InputReader, instances: readonly Instance[], textLength: number): Tensor {
  switch (reader.type) {
    case 'double': {
      const width = reader.cells.length;
      const data = new Float64Array(instances.length * width);
      fill(reader.cells, data, instances, textLength);
      return { type: 'float64', dims: [instances.length, width], data };
    }
    case 'string': {
      const width = reader.cells.length;
      const data = new Array<string>(instances.length * width);
      fill(reader.cells, data, instances, textLength);
      return { type: 'string', dims: [instances.length, width], data };
    }
    case 'float32': {
      const width = reader.shape.reduce((product, dim) => product * dim, 1);
      const data = new Float32Array(instances.length * width);
      readArrays(reader.column, reader.read, instances, (i) => data.subarray(i * width, (i + 1) * width));
      return { type: 'float32', dims: [instances.length, ...reader.shape], data };
    }
    case 'int32': {
      // Room for the longest that came: whoever is longer than the model reads is refused while it is read.
      const { column } = reader;
      const longest = instances.reduce((max, _, i) => Math.max(max, lengthOf(cell(instances, i, column))), 1);
      const length = Math.min(reader.length, longest);
      const data = new Int32Array(instances.length * length).fill(-1);
      readArrays(column, reader.read, instances, (i) => data.subarray(i * length, (i + 1) * length));
      return { type: 'int32', dims: [instances.length, length], data };
    }
  }
}

/** @throws Error when the manifest contradicts itself: a fault of whoever wrote it, not of the client. */
function planOf(manifest: Manifest): Plan {
  const missing = new Set(['', ...manifest.missingValues]);
  const readers = manifest.inputs.map((input) => readerOf(manifest, input, missing));
  const columns = columnInputs(manifest).map(({ column }) => column);
  const used = new Set(columns);
  if (used.size < columns.length) throw new Error('manifest: two inputs read the same column');
  for (const { name, used: reads } of manifest.columns)
    if (reads && !used.has(name)) throw new Error(`manifest: column "${name}" is used, but no input reads it`);
  const accepted = new Set([...manifest.columns.map((c) => c.name), manifest.target]);
  return { accepted, used: used.size, readers, row: rowFeeds(readers) };
}

function refuseUnknownColumns(plan: Plan, manifest: Manifest, instances: readonly Instance[]): void {
  instances.forEach((instance, i) => {
    for (const name of Object.keys(instance)) {
      if (plan.accepted.has(name)) continue;
      const nearest = nearestName(
        name,
        manifest.columns.map((c) => c.name),
      );
      const meant = nearest === undefined ? '' : `; the nearest name is ${JSON.stringify(nearest)}`;
      throw new PredictError('UNKNOWN_COLUMN', fieldPath(i, name), `no column is named ${quote(name)}${meant}`);
    }
  });
}

function readerOf(manifest: Manifest, from: ManifestInput, missing: ReadonlySet<string>): InputReader {
  const { name: input, type } = from;
  const described = (column: string) => {
    const found = manifest.columns.find((c) => c.name === column);
    if (found?.used) return found;
    throw new Error(`manifest: input "${input}" reads "${column}", which is not a used column`);
  };
  const columns = 'columns' in from ? from.columns : [from.column];
  const [column = ''] = columns;
  switch (type) {
    case 'float32':
      described(column);
      return { input, column, type, shape: from.shape, read: tensorReader(from.shape) };
    case 'int32':
      described(column);
      return { input, column, type, length: from.length, read: tokensReader(from.length) };
    case 'double':
      return {
        input,
        type,
        cells: columns.map((name) => ({ column: name, read: numberReader(described(name), missing) })),
      };
    case 'string':
      return {
        input,
        type,
        cells: columns.map((name) => ({ column: name, read: textReader(described(name), missing) })),
      };
  }
}

/** Reads columns side by side into [N,columns]. */
function fill<T>(
  cells: readonly CellReader<T>[],
  to: { [index: number]: T },
  instances: readonly Instance[],
  textLength: number | undefined,
): void {
  for (let c = 0; c < cells.length; c++) {
    const { column, read } = cells[c] as CellReader<T>;
    for (let i = 0; i < instances.length; i++) {
      const value = cell(instances, i, column, textLength);
      const taken = read(value);
      if (taken instanceof BadCell) throw invalid(i, column, taken, value);
      to[i * cells.length + c] = taken;
    }
  }
}

function readArrays<T>(
  column: string,
  read: ArrayReader<T>,
  instances: readonly Instance[],
  placeOf: (i: number) => T,
): void {
  for (let i = 0; i < instances.length; i++) {
    const value = cell(instances, i, column);
    const bad = read(value, placeOf(i));
    if (bad !== null) throw invalid(i, column, bad, value);
  }
}

const lengthOf = (value: unknown) => (Array.isArray(value) ? value.length : 0);

/** Own properties only: a column may be called "constructor". */
function cell(
  instances: readonly Instance[],
  i: number,
  column: string,
  textLength = Number.POSITIVE_INFINITY,
): unknown {
  const instance = instances[i];
  if (!instance || !Object.hasOwn(instance, column))
    throw new PredictError(
      'MISSING_COLUMN',
      fieldPath(i, column),
      `column ${quote(column)} is absent; the model reads it: send a value, or null if it is missing`,
    );
  const value = instance[column];
  if (typeof value === 'string' && value.length > textLength)
    throw new PredictError(
      'TEXT_TOO_LONG',
      fieldPath(i, column),
      `expected a text of at most ${textLength} characters, got ${value.length}`,
    );
  return value;
}

function invalid(i: number, column: string, cell: BadCell, value: unknown): PredictError {
  const got = cell instanceof BadArray ? cell.got : quote(value);
  return new PredictError('INVALID_VALUE', fieldPath(i, column), `expected ${cell.expected}, got ${got}`);
}
