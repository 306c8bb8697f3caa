/** Instances (JSON objects by column name) -> the tensors of a model's inputs. Knows no model, only its manifest. */
import type { Manifest, ManifestInput } from '../contract.ts';
import type { Feeds, Tensor } from '../engine/tensor.ts';
import { type ArrayReader, BadArray, tensorReader, tokensReader } from './arrays.ts';
import { BadCell, type NumberReader, numberReader, type TextReader, textReader } from './cells.ts';
import { fieldPath, PredictError, quote } from './errors.ts';
import { nearestName } from './nearest.ts';

/** A row by column name, as JSON gives it. */
export type Instance = Readonly<Record<string, unknown>>;

type InputReader = { input: string; column: string } & (
  | { type: 'double'; read: NumberReader }
  | { type: 'string'; read: TextReader }
  | { type: 'float32'; shape: readonly number[]; read: ArrayReader<Float32Array> }
  | { type: 'int32'; length: number; read: ArrayReader<Int32Array> }
);
interface Plan {
  /** All columns of the dataset and the target: a client may send whole rows. */
  accepted: ReadonlySet<string>;
  readers: InputReader[];
  /** For one row of scalars: its tensors, used again and again. */
  row: RowFeeds | undefined;
}
interface RowFeeds {
  feeds: Feeds;
  cells: { reader: InputReader & { type: 'double' | 'string' }; tensor: Tensor & { type: 'float64' | 'string' } }[];
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
  refuseUnknownColumns(plan, manifest, instances);
  // Entries, not assignments: an input may be called "__proto__".
  return Object.fromEntries(plan.readers.map((reader) => [reader.input, readInput(reader, instances, textLength)]));
}

/**
 * Like parseInstances, for feeds that are run at once: one row of scalars is read into the same tensors each time,
 * which the next call overwrites. Making a hundred small arrays costs as much as reading them.
 */
export function readForRun(manifest: Manifest, instances: readonly Instance[], limits: ParseLimits = {}): Feeds {
  const plan = planFor(manifest);
  if (instances.length !== 1 || !plan.row) return parseInstances(manifest, instances, limits);
  refuseUnknownColumns(plan, manifest, instances);
  const { feeds, cells } = plan.row;
  for (const { reader, tensor } of cells) {
    const value = cell(instances, 0, reader.column, limits.textLength);
    const read = reader.read(value);
    if (read instanceof BadCell) throw invalid(0, reader.column, read, value);
    tensor.data[0] = read;
  }
  return feeds;
}

function planFor(manifest: Manifest): Plan {
  const known = plans.get(manifest);
  if (known) return known;
  const plan = planOf(manifest);
  plans.set(manifest, plan);
  return plan;
}

function rowFeeds(readers: readonly InputReader[]): RowFeeds | undefined {
  const cells: RowFeeds['cells'] = [];
  const dims = [1, 1];
  for (const reader of readers) {
    if (reader.type === 'double') cells.push({ reader, tensor: { type: 'float64', dims, data: new Float64Array(1) } });
    else if (reader.type === 'string') cells.push({ reader, tensor: { type: 'string', dims, data: [''] } });
    else return undefined;
  }
  return { cells, feeds: Object.fromEntries(cells.map(({ reader, tensor }) => [reader.input, tensor])) };
}

function readInput(reader: InputReader, instances: readonly Instance[], textLength: number): Tensor {
  const { column } = reader;
  const dims = [instances.length, 1];
  switch (reader.type) {
    case 'double':
      return { type: 'float64', dims, data: readNumbers(column, reader.read, instances, textLength) };
    case 'string':
      return { type: 'string', dims, data: readTexts(column, reader.read, instances, textLength) };
    case 'float32': {
      const width = reader.shape.reduce((product, dim) => product * dim, 1);
      const data = new Float32Array(instances.length * width);
      readArrays(column, reader.read, instances, (i) => data.subarray(i * width, (i + 1) * width));
      return { type: 'float32', dims: [instances.length, ...reader.shape], data };
    }
    case 'int32': {
      // Room for the longest that came: whoever is longer than the model reads is refused while it is read.
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
  const read = new Set(readers.map((reader) => reader.column));
  for (const { name, used } of manifest.columns)
    if (used && !read.has(name)) throw new Error(`manifest: column "${name}" is used, but no input reads it`);
  const accepted = new Set([...manifest.columns.map((c) => c.name), manifest.target]);
  return { accepted, readers, row: rowFeeds(readers) };
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
  const { name: input, column } = from;
  const described = manifest.columns.find((c) => c.name === column);
  if (!described?.used) throw new Error(`manifest: input "${input}" reads "${column}", which is not a used column`);
  switch (from.type) {
    case 'float32':
      return { input, column, type: from.type, shape: from.shape, read: tensorReader(from.shape) };
    case 'int32':
      return { input, column, type: from.type, length: from.length, read: tokensReader(from.length) };
    case 'double':
      return { input, column, type: from.type, read: numberReader(described, missing) };
    case 'string':
      return { input, column, type: from.type, read: textReader(described, missing) };
  }
}

function readNumbers(
  column: string,
  read: NumberReader,
  instances: readonly Instance[],
  textLength: number,
): Float64Array {
  const data = new Float64Array(instances.length);
  for (let i = 0; i < data.length; i++) {
    const value = cell(instances, i, column, textLength);
    const number = read(value);
    if (number instanceof BadCell) throw invalid(i, column, number, value);
    data[i] = number;
  }
  return data;
}

function readTexts(column: string, read: TextReader, instances: readonly Instance[], textLength: number): string[] {
  const data = new Array<string>(instances.length);
  for (let i = 0; i < data.length; i++) {
    const value = cell(instances, i, column, textLength);
    const text = read(value);
    if (text instanceof BadCell) throw invalid(i, column, text, value);
    data[i] = text;
  }
  return data;
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
