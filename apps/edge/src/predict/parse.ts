/** Instances (JSON objects by column name) -> the tensors of a model's inputs. Knows no model, only its manifest. */
import type { Manifest } from '../contract.ts';
import type { Feeds } from '../engine/tensor.ts';
import { BadCell, type NumberReader, numberReader, type TextReader, textReader } from './cells.ts';
import { fieldPath, PredictError, quote } from './errors.ts';
import { nearestName } from './nearest.ts';

/** A row by column name, as JSON gives it. */
export type Instance = Readonly<Record<string, unknown>>;

type InputReader = { input: string; column: string } & (
  | { type: 'double'; read: NumberReader }
  | { type: 'string'; read: TextReader }
);
interface Plan {
  /** All columns of the dataset and the target: a client may send whole rows. */
  accepted: ReadonlySet<string>;
  readers: InputReader[];
}

/** Manifests are immutable and serve many requests: their look-up tables are made once. */
const plans = new WeakMap<Manifest, Plan>();

/**
 * Reads instances column by column into the feeds of the model's inputs, one [N,1] tensor each.
 * Every used column must be present; null and the manifest's missing texts mean missing; unused columns and the
 * target may be present and are not looked at.
 * @throws PredictError UNKNOWN_COLUMN, MISSING_COLUMN or INVALID_VALUE.
 */
export function parseInstances(manifest: Manifest, instances: readonly Instance[]): Feeds {
  let plan = plans.get(manifest);
  if (!plan) {
    plan = planOf(manifest);
    plans.set(manifest, plan);
  }
  refuseUnknownColumns(plan, manifest, instances);
  const feeds: Feeds = {};
  const dims = [instances.length, 1];
  for (const reader of plan.readers)
    feeds[reader.input] =
      reader.type === 'double'
        ? { type: 'float64', dims, data: readNumbers(reader.column, reader.read, instances) }
        : { type: 'string', dims, data: readTexts(reader.column, reader.read, instances) };
  return feeds;
}

/** @throws Error when the manifest contradicts itself: a fault of whoever wrote it, not of the client. */
function planOf(manifest: Manifest): Plan {
  const missing = new Set(['', ...manifest.missingValues]);
  const readers = manifest.inputs.map(({ name, column, type }): InputReader => {
    const described = manifest.columns.find((c) => c.name === column);
    if (!described?.used) throw new Error(`manifest: input "${name}" reads "${column}", which is not a used column`);
    return type === 'double'
      ? { input: name, column, type, read: numberReader(described, missing) }
      : { input: name, column, type, read: textReader(described, missing) };
  });
  const read = new Set(readers.map((reader) => reader.column));
  for (const { name, used } of manifest.columns)
    if (used && !read.has(name)) throw new Error(`manifest: column "${name}" is used, but no input reads it`);
  return { accepted: new Set([...manifest.columns.map((c) => c.name), manifest.target]), readers };
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

function readNumbers(column: string, read: NumberReader, instances: readonly Instance[]): Float64Array {
  const data = new Float64Array(instances.length);
  for (let i = 0; i < data.length; i++) {
    const value = cell(instances, i, column);
    const number = read(value);
    if (number instanceof BadCell) throw invalid(i, column, number, value);
    data[i] = number;
  }
  return data;
}

function readTexts(column: string, read: TextReader, instances: readonly Instance[]): string[] {
  const data = new Array<string>(instances.length);
  for (let i = 0; i < data.length; i++) {
    const value = cell(instances, i, column);
    const text = read(value);
    if (text instanceof BadCell) throw invalid(i, column, text, value);
    data[i] = text;
  }
  return data;
}

/** Own properties only: a column may be called "constructor". */
function cell(instances: readonly Instance[], i: number, column: string): unknown {
  const instance = instances[i];
  if (!instance || !Object.hasOwn(instance, column))
    throw new PredictError(
      'MISSING_COLUMN',
      fieldPath(i, column),
      `column ${quote(column)} is absent; the model reads it: send a value, or null if it is missing`,
    );
  return instance[column];
}

function invalid(i: number, column: string, cell: BadCell, value: unknown): PredictError {
  return new PredictError('INVALID_VALUE', fieldPath(i, column), `expected ${cell.expected}, got ${quote(value)}`);
}
