/** Rules of operations whose result comes from attributes, shapes or chance. */
import type { DataType } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { typeAttribute } from './elementwise.ts';
import { type Dims, type Fact, factOf, numbers, sizeOf, tensor, UNKNOWN, unknownDims } from './fact.ts';

function constant(c: Call): Fact {
  const value = c.attribute('value', 'TENSOR')?.value;
  if (value) return factOf(value);
  const sparse = c.attribute('sparse_value', 'SPARSE_TENSOR')?.value;
  if (sparse) return tensor(sparse.values.type, sparse.dims);
  const [float, int] = [c.attribute('value_float', 'FLOAT')?.value, c.attribute('value_int', 'INT')?.value];
  if (float !== undefined) return tensor('FLOAT', [], [float]);
  if (int !== undefined) return tensor('INT64', [], [Number(int)]);
  if (c.attribute('value_string', 'STRING')?.value !== undefined) return tensor('STRING', []);
  const lists: readonly [DataType, readonly (number | string)[] | undefined][] = [
    ['FLOAT', c.attribute('value_floats', 'FLOATS')?.value],
    ['INT64', c.ints('value_ints')],
    ['STRING', c.attribute('value_strings', 'STRINGS')?.value],
  ];
  const [type, list] = lists.find(([, values]) => values !== undefined) ?? [];
  return type && list ? tensor(type, [list.length], type === 'STRING' ? null : list) : UNKNOWN;
}

/** A shape that an input or (in old operator sets) an attribute lists. */
function listedShape(c: Call, index: number): Dims | null {
  const values = c.ints('shape') ?? c.values(index);
  if (values) return values;
  const rank = c.dim(index, 0);
  return typeof rank === 'number' ? unknownDims(rank) : null;
}

function constantOfShape(c: Call): Fact {
  const shape = listedShape(c, 0);
  const value = c.attribute('value', 'TENSOR')?.value;
  const size = shape ? sizeOf(shape) : null;
  const [one = 0] = value ? (factOf(value).values ?? [null]) : [0];
  const values = size !== null && size <= 64 ? new Array<typeof one>(size).fill(one) : null;
  return tensor(value?.type ?? 'FLOAT', shape, values);
}

function shape(c: Call): Fact {
  const dims = c.shape(0);
  if (!dims) return tensor('INT64', [null]);
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + dims.length : at, 0), dims.length);
  const kept = dims.slice(clamp(c.int('start', 0)), clamp(c.int('end', dims.length)));
  return tensor('INT64', [kept.length], kept);
}

function range(c: Call): Fact {
  const type = c.sameType([0, 1, 2]);
  const [start, limit, delta] = [0, 1, 2].map((index) => numbers(c.values(index))?.[0]);
  if (start === undefined || limit === undefined || delta === undefined || delta === 0) return tensor(type, [null]);
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  const values = count <= 1024 ? Array.from({ length: count }, (_, index) => start + index * delta) : null;
  return tensor(type, [count], values);
}

function oneHot(c: Call): Fact {
  const indices = c.shape(0);
  const [depth = null] = c.values(1) ?? [];
  const axis = c.int('axis', -1);
  if (!indices) return tensor(c.type(2), null);
  const at = c.axis(axis, indices.length + 1);
  return tensor(c.type(2), [...indices.slice(0, at), depth, ...indices.slice(at)]);
}

/** Windows of signal processing: as long as asked, FLOAT unless said otherwise. */
function window(c: Call): Fact {
  const [length = null] = c.values(0) ?? [];
  return tensor(typeAttribute(c, 'output_datatype') ?? 'FLOAT', [length]);
}

/** Real (last axis 1) or complex (2) signals to complex ones, or back to real ones; onesided keeps half of the axis. */
function dft(c: Call): Fact {
  const shape = c.shape(0);
  const given = c.opset < 20 ? [c.int('axis', 1)] : c.has(2) ? numbers(c.values(2)) : [-2];
  const axis = given?.[0];
  if (!shape || axis === undefined) return tensor(c.type(0), null);
  const at = c.axis(axis, shape.length);
  const length = c.has(1) ? (c.values(1)?.[0] ?? null) : (shape[at] ?? null);
  const half = c.flag('onesided');
  const back = half && c.flag('inverse');
  const known = typeof length === 'number';
  const kept = !known || !half ? length : back ? (c.has(1) ? length : 2 * (length - 1)) : Math.floor(length / 2) + 1;
  return tensor(c.type(0), shape.with(at, kept).with(-1, back ? 1 : 2));
}

function melWeightMatrix(c: Call): Fact {
  const [bins, length] = [c.values(0)?.[0] ?? null, c.values(1)?.[0] ?? null];
  const rows = typeof length === 'number' ? Math.floor(length / 2) + 1 : null;
  return tensor(typeAttribute(c, 'output_datatype') ?? 'FLOAT', [rows, bins]);
}

/** The rules of this file. */
export const GENERATE: Rules = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: shape,
  Size: (c) => tensor('INT64', [], [c.shape(0) ? sizeOf(c.shape(0) ?? []) : null]),
  Range: range,
  OneHot: oneHot,
  EyeLike: (c) => tensor(typeAttribute(c, 'dtype') ?? c.type(0), c.ranked(0, 2)),
  RandomNormal: (c) => tensor(typeAttribute(c, 'dtype') ?? 'FLOAT', listedShape(c, 0)),
  RandomUniform: (c) => tensor(typeAttribute(c, 'dtype') ?? 'FLOAT', listedShape(c, 0)),
  RandomNormalLike: (c) => tensor(typeAttribute(c, 'dtype') ?? c.type(0), c.shape(0)),
  RandomUniformLike: (c) => tensor(typeAttribute(c, 'dtype') ?? c.type(0), c.shape(0)),
  Bernoulli: (c) => tensor(typeAttribute(c, 'dtype') ?? c.type(0), c.shape(0)),
  Multinomial: (c) => tensor(typeAttribute(c, 'dtype') ?? 'INT32', [c.dim(0, 0), c.int('sample_size', 1)]),
  DFT: dft,
  MelWeightMatrix: melWeightMatrix,
  HannWindow: window,
  HammingWindow: window,
  BlackmanWindow: window,
};
