/** Operations that turn table cells into numbers; they stand in front of a network and have no gradient. */
import type { Value } from '../builder.ts';
import { broadcast } from '../shapes.ts';
import type { Attribute } from '../types.ts';
import { expectType, int, only, refuse, refuseArgument, text } from './check.ts';

/**
 * 1 at the index and 0 elsewhere along a new last axis; an index outside of 0..depth-1 gives only zeros (negative
 * wraps).
 */
export function OneHot(indices: Value, depth: number, type: 'FLOAT' | 'INT64' = 'FLOAT'): Value {
  expectType('OneHot', 0, indices, ['INT64']);
  if (!Number.isInteger(depth) || depth < 1) refuseArgument('OneHot', indices, `depth ${depth} must be at least 1`);
  const { graph } = indices;
  const inputs = [indices, graph.constant('INT64', [1], [depth]), graph.constant(type, [2], [0, 1])];
  const outputs = [{ type, shape: [...indices.shape, depth] }];
  return only(graph.emit({ type: 'OneHot', inputs, outputs, attributes: { axis: int(-1) } }));
}

/** The texts of b behind those of a. */
export function StringConcat(a: Value, b: Value): Value {
  expectType('StringConcat', 0, a, ['STRING']);
  expectType('StringConcat', 1, b, ['STRING']);
  const shape = broadcast(a.shape, b.shape);
  if (!shape) refuse('StringConcat', 1, b, `of a shape that broadcasts with [${a.shape}]`);
  return only(a.graph.emit({ type: 'StringConcat', inputs: [a, b], outputs: [{ type: 'STRING', shape }] }));
}

/** A dictionary: the value of every known key, `fallback` for all others. */
export interface Dictionary<V> {
  readonly keys: readonly string[] | readonly number[];
  readonly values: readonly V[];
  readonly fallback: V;
}

/** Looks up every element: strings, FLOATs (NaN is a possible key) or INT64s to INT64s (numbers) or strings. */
export function LabelEncoder(x: Value, dictionary: Dictionary<number | bigint> | Dictionary<string>): Value {
  expectType('LabelEncoder', 0, x, ['STRING', 'FLOAT', 'INT64']);
  const { keys, values, fallback } = dictionary;
  if (keys.length !== values.length || keys.length === 0)
    refuseArgument(
      'LabelEncoder',
      x,
      `needs as many values as keys, and at least one; got ${keys.length} and ${values.length}`,
    );
  const to = typeof fallback === 'string' ? 'STRING' : 'INT64';
  return only(
    x.graph.emit({
      type: 'LabelEncoder',
      domain: 'ai.onnx.ml',
      inputs: [x],
      outputs: [{ type: to, shape: x.shape }],
      attributes: {
        [`keys_${ATTRIBUTE[x.type] ?? ''}`]: list(x.type, keys),
        [`values_${ATTRIBUTE[to] ?? ''}`]: list(to, values),
        [to === 'STRING' ? 'default_string' : 'default_int64']:
          typeof fallback === 'string' ? text(fallback) : int(fallback),
      },
    }),
  );
}

const ATTRIBUTE: Record<string, string> = { STRING: 'strings', FLOAT: 'floats', INT64: 'int64s' };

function list(type: string, values: readonly (string | number | bigint)[]): Attribute {
  if (type === 'STRING') return { type: 'STRINGS', value: values.map(String) };
  if (type === 'FLOAT') return { type: 'FLOATS', value: values.map(Number) };
  return { type: 'INTS', value: values.map((value) => BigInt(value)) };
}
