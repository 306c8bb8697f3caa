/** Rules of operations that pick, place, order or count elements. */
import type { Dim } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { type Fact, numbers, tensor } from './fact.ts';

function expectIndex(c: Call, index: number): void {
  const type = c.type(index);
  if (type && type !== 'INT64' && type !== 'INT32') c.refuse(index, 'INT32 or INT64');
}

function gather(c: Call): Fact {
  expectIndex(c, 1);
  const [data, indices] = [c.shape(0), c.shape(1)];
  if (!data || !indices) return tensor(c.type(0), null);
  const at = c.axis(c.int('axis', 0), data.length);
  const list = data.length === 1 ? c.values(0) : null;
  const picked = numbers(c.values(1))?.map((index) => list?.at(index) ?? null);
  return tensor(c.type(0), [...data.slice(0, at), ...indices, ...data.slice(at + 1)], list && picked ? picked : null);
}

function gatherElements(c: Call): Fact {
  expectIndex(c, 1);
  const [data, indices] = [c.shape(0), c.shape(1)];
  if (data && indices && data.length !== indices.length) c.refuse(1, `of rank ${data.length} like input 0`);
  return tensor(c.type(0), indices);
}

function gatherNd(c: Call): Fact {
  const [data, indices] = [c.shape(0), c.shape(1)];
  const depth = indices?.at(-1);
  if (!data || !indices || typeof depth !== 'number') return tensor(c.type(0), null);
  const batch = c.int('batch_dims', 0);
  if (batch + depth > data.length) c.refuse(1, `of a last axis of at most ${data.length - batch}`);
  return tensor(c.type(0), [...indices.slice(0, -1), ...data.slice(batch + depth)]);
}

function topK(c: Call): readonly Fact[] {
  const shape = c.shape(0);
  const k: Dim = c.opset < 10 ? c.int('k', 0) : (c.values(1)?.[0] ?? null);
  const out = shape ? shape.with(c.axis(c.int('axis', -1), shape.length), k) : null;
  return [tensor(c.type(0), out), tensor('INT64', out)];
}

function argument(c: Call): Fact {
  const shape = c.shape(0);
  if (!shape) return tensor('INT64', null);
  const at = c.axis(c.int('axis', 0), shape.length);
  return tensor('INT64', c.flag('keepdims', true) ? shape.with(at, 1) : shape.toSpliced(at, 1));
}

function compress(c: Call): Fact {
  const shape = c.shape(0);
  const axis = c.attribute('axis', 'INT')?.value;
  if (axis === undefined) return tensor(c.type(0), [null]);
  return tensor(c.type(0), shape ? shape.with(c.axis(Number(axis), shape.length), null) : null);
}

function unique(c: Call): readonly Fact[] {
  const shape = c.shape(0);
  const axis = c.attribute('axis', 'INT')?.value;
  const kept = axis === undefined ? [null] : shape ? shape.with(c.axis(Number(axis), shape.length), null) : null;
  const list = tensor('INT64', [null]);
  return [tensor(c.type(0), kept), list, list, list];
}

/** Updates must have the indices' shape; the result is the data's. */
function scatterElements(c: Call): Fact {
  c.sameType([0, 2]);
  expectIndex(c, 1);
  const [indices, updates] = [c.shape(1), c.shape(2)];
  if (indices && updates && indices.length !== updates.length) c.refuse(2, `of rank ${indices.length} like input 1`);
  return tensor(c.type(0), c.shape(0));
}

function scatterNd(c: Call): Fact {
  c.sameType([0, 2]);
  const [data, indices] = [c.shape(0), c.shape(1)];
  const depth = indices?.at(-1);
  if (data && typeof depth === 'number' && depth > data.length)
    c.refuse(1, `of a last axis of at most ${data.length}, the rank of input 0`);
  return tensor(c.type(0), data);
}

/** The shape that was pooled is given, or computed as that which just holds all windows. */
function maxUnpool(c: Call): Fact {
  const shape = c.shape(0);
  const [kernel, strides, pads] = [c.ints('kernel_shape') ?? [], c.ints('strides'), c.ints('pads')];
  const given = c.has(2) ? c.values(2) : undefined;
  const out = shape?.map((dim, axis): Dim => {
    const at = axis - 2;
    if (at < 0 || typeof dim !== 'number') return dim;
    const padding = (pads?.[at] ?? 0) + (pads?.[at + kernel.length] ?? 0);
    return (dim - 1) * (strides?.[at] ?? 1) + (kernel[at] ?? 1) - padding;
  });
  return tensor(c.type(0), given === undefined ? (out ?? null) : given);
}

/** The rules of this file. */
export const SELECT: Rules = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  TopK: topK,
  ArgMax: argument,
  ArgMin: argument,
  Compress: compress,
  Unique: unique,
  NonZero: (c) => tensor('INT64', [c.shape(0)?.length ?? null, null]),
  NonMaxSuppression: () => tensor('INT64', [null, 3]),
  MaxUnpool: maxUnpool,
};
