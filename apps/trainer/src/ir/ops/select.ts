/** Operations that pick or place elements by index. */
import type { Value } from '../builder.ts';
import { sameShape } from '../shapes.ts';
import type { DataType } from '../types.ts';
import { expectAxis, expectPair, expectType, int, only, refuse, text } from './check.ts';

const INDEX: readonly DataType[] = ['INT32', 'INT64'];

/** Slices of data along an axis, one per index: an embedding lookup when axis is 0. */
export function Gather(data: Value, indices: Value, axis = 0): Value {
  expectType('Gather', 1, indices, INDEX);
  const at = expectAxis('Gather', data, axis);
  const shape = [...data.shape.slice(0, at), ...indices.shape, ...data.shape.slice(at + 1)];
  const attributes = { axis: int(at) };
  return only(
    data.graph.emit({ type: 'Gather', inputs: [data, indices], outputs: [{ type: data.type, shape }], attributes }),
  );
}

/** Data with updates added at the rows that the last axis of indices names; repeated rows accumulate. */
export function ScatterND(data: Value, indices: Value, updates: Value): Value {
  expectType('ScatterND', 1, indices, ['INT64']);
  expectPair('ScatterND', data, updates);
  const depth = indices.shape.at(-1);
  if (typeof depth !== 'number' || depth > data.shape.length)
    return refuse('ScatterND', 1, indices, `of a last axis of at most ${data.shape.length}`);
  const expected = [...indices.shape.slice(0, -1), ...data.shape.slice(depth)];
  if (!sameShape(updates.shape, expected)) refuse('ScatterND', 2, updates, `[${expected}]`);
  const inputs = [data, indices, updates];
  const attributes = { reduction: text('add') };
  return only(
    data.graph.emit({ type: 'ScatterND', inputs, outputs: [{ type: data.type, shape: data.shape }], attributes }),
  );
}
