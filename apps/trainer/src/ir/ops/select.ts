/** Operations that pick or place elements by index. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { sameShape } from '../shapes.ts';
import type { DataType } from '../types.ts';
import { expectAxis, expectPair, expectType, int, NUMBER, only, refuse, text } from './check.ts';

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

/** Elements of data along an axis, one per element of indices, which has the rank of data. */
export function GatherElements(data: Value, indices: Value, axis = 0): Value {
  const at = expectElements('GatherElements', data, indices, axis);
  const inputs = [data, indices];
  const outputs = [{ type: data.type, shape: indices.shape }];
  return only(data.graph.emit({ type: 'GatherElements', inputs, outputs, attributes: { axis: int(at) } }));
}

/** Data with updates added at the places along an axis that indices name; repeated places accumulate. */
export function ScatterElements(data: Value, indices: Value, updates: Value, axis = 0): Value {
  const at = expectElements('ScatterElements', data, indices, axis);
  expectPair('ScatterElements', data, updates);
  if (!sameShape(updates.shape, indices.shape)) refuse('ScatterElements', 2, updates, `[${indices.shape}]`);
  const inputs = [data, indices, updates];
  const attributes = { axis: int(at), reduction: text('add') };
  const outputs = [{ type: data.type, shape: data.shape }];
  return only(data.graph.emit({ type: 'ScatterElements', inputs, outputs, attributes }));
}

/** The parts of data that the last axis of indices names by its first axes. */
export function GatherND(data: Value, indices: Value): Value {
  const depth = expectPlaces('GatherND', data, indices);
  const shape = [...indices.shape.slice(0, -1), ...data.shape.slice(depth)];
  const inputs = [data, indices];
  return only(data.graph.emit({ type: 'GatherND', inputs, outputs: [{ type: data.type, shape }] }));
}

/** What becomes of an element that an update meets. */
export type Reduction = 'add' | 'none';

/** Data with updates at the places that the last axis of indices names: added (repeated ones accumulate), or put. */
export function ScatterND(data: Value, indices: Value, updates: Value, reduction: Reduction = 'add'): Value {
  expectPair('ScatterND', data, updates);
  const depth = expectPlaces('ScatterND', data, indices);
  const expected = [...indices.shape.slice(0, -1), ...data.shape.slice(depth)];
  if (!sameShape(updates.shape, expected)) refuse('ScatterND', 2, updates, `[${expected}]`);
  const inputs = [data, indices, updates];
  const attributes = { reduction: text(reduction) };
  return only(
    data.graph.emit({ type: 'ScatterND', inputs, outputs: [{ type: data.type, shape: data.shape }], attributes }),
  );
}

/** Sums of an axis up to and including each element. */
export function CumSum(x: Value, axis: number): Value {
  expectType('CumSum', 0, x, NUMBER);
  const at = x.graph.constant('INT64', [], [expectAxis('CumSum', x, axis)]);
  return only(x.graph.emit({ type: 'CumSum', inputs: [x, at], outputs: [{ type: x.type, shape: x.shape }] }));
}

function expectElements(op: OpName, data: Value, indices: Value, axis: number): number {
  expectType(op, 1, indices, INDEX);
  const at = expectAxis(op, data, axis);
  if (indices.shape.length !== data.shape.length) refuse(op, 1, indices, `of rank ${data.shape.length} like input 0`);
  return at;
}

function expectPlaces(op: OpName, data: Value, indices: Value): number {
  expectType(op, 1, indices, ['INT64']);
  const depth = indices.shape.at(-1);
  return typeof depth === 'number' && depth <= data.shape.length
    ? depth
    : refuse(op, 1, indices, `of a last axis of at most ${data.shape.length}`);
}
