/**
 * A recipe as ONNX nodes: raw columns in, the network's float32 matrix out. The same nodes prepare the training data
 * (raw-graph.ts runs them) and stand in front of the network in the artifact, so there is nothing to keep in step.
 */
import type { GraphBuilder, Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import type { Recipe } from './recipe.ts';

/** A raw column as an ONNX input [N,1]: double with NaN for missing, or string with "" for missing. */
export interface RawInput {
  /** Of the ONNX input. */
  name: string;
  column: string;
  type: 'double' | 'string';
}

/** Names that the graph needs for itself: its outputs and the networks' weights ("layer0.weight"). */
const RESERVED = /^(?:probabilities|value|features|[a-z_]+\d*\.(?:weight|bias))$/;

/** The inputs that a recipe's graph has, in order: an input is named as its column wherever the graph allows. */
export function rawInputs(recipe: Recipe): RawInput[] {
  const columns = [
    ...recipe.numeric.map(({ name }) => ({ column: name, type: 'double' as const })),
    ...recipe.categorical.map(({ name }) => ({ column: name, type: 'string' as const })),
  ];
  const names = new Set(columns.map(({ column }) => column));
  const free = (name: string): string => (names.has(name) ? free(`${name}_column`) : name);
  return columns.map(({ column, type }) => ({ name: RESERVED.test(column) ? free(column) : column, column, type }));
}

/** Adds the recipe's inputs and nodes to a graph. Answers the features, FLOAT [N, recipe.width]. */
export function buildFeatures(g: GraphBuilder, recipe: Recipe): Value {
  // All inputs first: a column may be called like a node, and the builder then finds the node another name.
  const raw = rawInputs(recipe).map(({ name, type }) =>
    g.input(name, type === 'double' ? 'DOUBLE' : 'STRING', ['N', 1]),
  );
  const parts: Value[] = [];
  const numbers = raw.slice(0, recipe.numeric.length);
  if (numbers.length > 0) parts.push(...buildNumeric(g, concat(numbers), recipe));
  raw.slice(numbers.length).forEach((text, index) => {
    parts.push(buildOneHot(text, recipe.categorical[index]?.categories ?? []));
  });
  return concat(parts);
}

/** All numeric columns at once, x DOUBLE [N,F]: standardised in double, cast last; then the missing-indicators. */
function buildNumeric(g: GraphBuilder, x: Value, { numeric, clip }: Recipe): Value[] {
  const constant = (key: 'fill' | 'center' | 'scale') =>
    g.constant(
      'DOUBLE',
      [1, numeric.length],
      numeric.map((feature) => feature[key]),
    );
  const missing = op.IsNaN(x);
  const z = op.Div(op.Sub(op.Where(missing, constant('fill'), x), constant('center')), constant('scale'));
  const numbers = op.Cast(clip === null ? z : op.Clip(z, -clip, clip), 'FLOAT');
  const flagged = numeric.flatMap((feature, index) => (feature.indicator ? [index] : []));
  if (flagged.length === 0) return [numbers];
  const indicators = op.Gather(op.Cast(missing, 'FLOAT'), g.constant('INT64', [flagged.length], flagged), 1);
  return [numbers, indicators];
}

/** text STRING [N,1] -> FLOAT [N, categories + 1]; whatever TRAIN did not have lands in slot 0. */
function buildOneHot(text: Value, categories: string[]): Value {
  const slots = categories.map((_, index) => index + 1);
  const index = op.LabelEncoder(text, { keys: categories, values: slots, fallback: 0 });
  return op.Squeeze(op.OneHot(index, categories.length + 1, 'FLOAT'), [1]);
}

function concat(parts: Value[]): Value {
  const [only, ...more] = parts;
  if (!only) throw new Error('features: a recipe needs at least one column');
  return more.length === 0 ? only : op.Concat(parts, 1);
}
