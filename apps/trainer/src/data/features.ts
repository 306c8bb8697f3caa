/**
 * A recipe as ONNX nodes: raw columns in, the network's float32 matrix out. The same nodes prepare the training data
 * (raw-graph.ts runs them) and stand in front of the network in the artifact, so there is nothing to keep in step.
 */
import type { GraphBuilder, Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import type { Recipe, TableRecipe, TensorRecipe } from './recipe.ts';

/**
 * A raw column as an ONNX input. double [N,1] with NaN for missing, string [N,1] with "" for missing, float32
 * [N,...shape], or int32 [N,T]: ids with -1 behind the end of the shorter sequences, T at most `length`.
 */
export type RawInput = {
  /** Of the ONNX input. */
  name: string;
  column: string;
} & ({ type: 'double' | 'string' } | { type: 'float32'; shape: number[] } | { type: 'int32'; length: number });

/** Names that the graph needs for itself: its outputs and the networks' weights ("stem.norm.mean"). */
const RESERVED = /^(?:probabilities|value|features|(?:[A-Za-z_]+\d*\.)+(?:weight|bias|mean|variance))$/;

/** The inputs that a recipe's graph has, in order: an input is named as its column wherever the graph allows. */
export function rawInputs(recipe: Recipe): RawInput[] {
  if (recipe.kind === 'FEATURES') return tableInputs(recipe);
  const name = RESERVED.test(recipe.name) ? `${recipe.name}_column` : recipe.name;
  const base = { name, column: recipe.name };
  if (recipe.kind === 'TENSOR') return [{ ...base, type: 'float32', shape: recipe.shape }];
  return [{ ...base, type: 'int32', length: recipe.maxLength }];
}

function tableInputs(recipe: TableRecipe): (RawInput & { type: 'double' | 'string' })[] {
  const columns = [
    ...recipe.numeric.map(({ name }) => ({ column: name, type: 'double' as const })),
    ...recipe.categorical.map(({ name }) => ({ column: name, type: 'string' as const })),
  ];
  const names = new Set(columns.map(({ column }) => column));
  const free = (name: string): string => (names.has(name) ? free(`${name}_column`) : name);
  return columns.map(({ column, type }) => ({ name: RESERVED.test(column) ? free(column) : column, column, type }));
}

/** Adds the recipe's inputs and nodes to a graph. Answers what the network reads, [N, ...row]. */
export function buildFeatures(g: GraphBuilder, recipe: Recipe): Value {
  const [only] = rawInputs(recipe);
  const name = only?.name ?? '';
  switch (recipe.kind) {
    case 'FEATURES':
      return buildTable(g, recipe);
    case 'TENSOR':
      return buildTensor(g.input(name, 'FLOAT', ['N', ...recipe.shape]), recipe);
    case 'TOKENS':
      // -1 (padding) -> 0, id -> id + 1, everything beyond the vocabulary -> the last row of the embedding table.
      return op.Clip(op.Add(g.input(name, 'INT32', ['N', 'T']), 1), 0, recipe.vocabulary + 1);
  }
}

/** x FLOAT [N,...shape], standardised per index of the first axis. */
function buildTensor(x: Value, { shape, channels }: TensorRecipe): Value {
  if (channels === null) return op.Identity(x);
  const dims = [shape[0] ?? 1, ...shape.slice(1).map(() => 1)];
  const constant = (values: number[]) => x.graph.constant('FLOAT', dims, values);
  return op.Div(op.Sub(x, constant(channels.center)), constant(channels.scale));
}

function buildTable(g: GraphBuilder, recipe: TableRecipe): Value {
  // All inputs first: a column may be called like a node, and the builder then finds the node another name.
  const raw = tableInputs(recipe).map(({ name, type }) =>
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
function buildNumeric(g: GraphBuilder, x: Value, { numeric, clip }: TableRecipe): Value[] {
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
