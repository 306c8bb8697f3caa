/**
 * Models of columns behind the Open Inference Protocol: tensors by column name -> instances, predictions -> tensors.
 * So a request in tensors takes the same way through predict as one in rows.
 */
import { type ColumnInput, columnInputs, MAX_INSTANCES, type Manifest, type Prediction } from '../contract.ts';
import type { Tensor } from '../engine/index.ts';
import { refuse } from '../errors.ts';
import type { Instance } from '../predict/index.ts';
import { halfToNumber } from './half.ts';
import { byName } from './signature.ts';

/** A tensor and its name. */
export interface NamedTensor {
  name: string;
  tensor: Tensor;
}

type CellOf = (row: number) => unknown;

/**
 * Rows of the batch. Any datatype is taken whose elements mean something to the column: the readers of predict judge
 * each. NaN and "" mean missing; tokens end at the first -1. @throws HttpError 400.
 */
export function instancesOf(manifest: Manifest, tensors: readonly NamedTensor[]): Instance[] {
  const known = [...manifest.columns, { name: manifest.target }];
  const batch = batchOf(tensors);
  const inputs = columnInputs(manifest);
  const cells = tensors.map(({ name, tensor }): [string, CellOf] => {
    byName('input', known, name);
    if (tensor.dims[0] !== batch)
      throw invalid(name, `expected a batch of ${batch} like the other inputs, got the shape [${tensor.dims}]`);
    return [name, cellsOf(inputs, name, tensor)];
  });
  const given = new Set(tensors.map(({ name }) => name));
  const absent = inputs.find(({ column }) => !given.has(column));
  if (absent) throw refuse(400, 'MISSING_INPUT', `the input "${absent.column}" is absent`);
  if (batch < 1 || batch > MAX_INSTANCES)
    throw refuse(400, 'INVALID_TENSOR', `expected a batch of 1 to ${MAX_INSTANCES} instances, got ${batch}`);
  return Array.from({ length: batch }, (_, row) => Object.fromEntries(cells.map(([name, cell]) => [name, cell(row)])));
}

/** Size of the first dimension of the first tensor: how many instances a request has, as far as one can tell. */
export function batchOf(tensors: readonly NamedTensor[]): number {
  return tensors[0]?.tensor.dims[0] ?? 1;
}

/** The outputs of a model of columns. */
export function outputsOf(manifest: Manifest, predictions: readonly Prediction[]): NamedTensor[] {
  const count = predictions.length;
  if (manifest.output === 'value') {
    const data = Float32Array.from(predictions, (p) => ('value' in p ? p.value : Number.NaN));
    return [{ name: 'value', tensor: { type: 'float32', dims: [count], data } }];
  }
  const classes = manifest.classes ?? [];
  const probabilities = predictions.flatMap((p) =>
    'value' in p ? [] : classes.map((name) => p.probabilities[name] ?? Number.NaN),
  );
  const labels = predictions.map((p) => ('value' in p ? '' : p.label));
  const dims = [count, classes.length];
  return [
    { name: 'probabilities', tensor: { type: 'float32', dims, data: Float32Array.from(probabilities) } },
    { name: 'label', tensor: { type: 'string', dims: [count], data: labels } },
  ];
}

function cellsOf(inputs: readonly ColumnInput[], name: string, tensor: Tensor): CellOf {
  const { dims } = tensor;
  const value = (index: number) => element(tensor, index);
  const input = inputs.find(({ column }) => column === name);
  if (!input) return () => null; // an unused column: predict does not look at it
  if (input.type === 'float32' || input.type === 'int32') {
    const fits = input.type === 'int32' ? dims.length === 2 : String(dims.slice(1)) === String(input.shape);
    const inner = input.type === 'int32' ? -1 : input.shape.join(',');
    if (!fits) throw invalid(name, `expected the shape [-1,${inner}], got [${dims}]`);
    const width = dims.slice(1).reduce((product, size) => product * size, 1);
    const row = (i: number) => Array.from({ length: width }, (_, at) => value(i * width + at));
    return input.type === 'int32' ? (i) => withoutPadding(row(i)) : row;
  }
  const scalar = dims.length === 1 || (dims.length === 2 && dims[1] === 1);
  if (!scalar) throw invalid(name, `expected the shape [-1,1] or [-1], got [${dims}]`);
  return value;
}

function withoutPadding(tokens: unknown[]): unknown[] {
  const length = tokens.findLastIndex((token) => token !== -1) + 1;
  return tokens.slice(0, length);
}

/** As predict's readers take it: missing numbers are null, integers that no double holds are texts. */
function element({ type, data }: Tensor, index: number): unknown {
  const value = data[index];
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value !== 'number') return value;
  if (type === 'bool') return value !== 0;
  const number = type === 'float16' ? halfToNumber(value) : value;
  return Number.isNaN(number) ? null : number;
}

const invalid = (name: string, message: string) => refuse(400, 'INVALID_TENSOR', `input "${name}": ${message}`);
