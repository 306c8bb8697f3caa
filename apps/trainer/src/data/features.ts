/**
 * A recipe as ONNX nodes: raw columns in, the network's float32 matrix out. The same nodes prepare the training data
 * (raw-graph.ts runs them) and stand in front of the network in the artifact, so there is nothing to keep in step.
 */
import type { ManifestInput } from '@anneal/edge/contract';
import type { GraphBuilder, Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import type { CategoricalFeature, Recipe, TableRecipe, TensorRecipe } from './recipe.ts';

/** Names that the graph needs for itself: its outputs and the networks' weights ("stem.norm.mean"). */
const RESERVED = /^(?:probabilities|value|features|(?:[A-Za-z_]+\d*\.)+(?:weight|bias|mean|variance))$/;

/**
 * The inputs that a recipe's graph has, in order: all numbers in one and all texts in another, or a lone tensor or
 * sequence, named as its column wherever the graph allows.
 */
export function rawInputs(recipe: Recipe): ManifestInput[] {
  if (recipe.kind === 'FEATURES') return tableInputs(recipe);
  const name = RESERVED.test(recipe.name) ? `${recipe.name}_column` : recipe.name;
  const base = { name, column: recipe.name };
  if (recipe.kind === 'TENSOR') return [{ ...base, type: 'float32', shape: recipe.shape }];
  return [{ ...base, type: 'int32', length: recipe.maxLength }];
}

function tableInputs({ numeric, categorical }: TableRecipe): ManifestInput[] {
  const [numbers, texts] = [numeric.map(({ name }) => name), categorical.map(({ name }) => name)];
  return [
    ...(numbers.length > 0 ? [{ name: 'numbers', type: 'double' as const, columns: numbers }] : []),
    ...(texts.length > 0 ? [{ name: 'texts', type: 'string' as const, columns: texts }] : []),
  ];
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
  const { numeric, categorical } = recipe;
  // All inputs first, as rawInputs has them.
  const numbers = numeric.length > 0 ? g.input('numbers', 'DOUBLE', ['N', numeric.length]) : null;
  const texts = categorical.length > 0 ? g.input('texts', 'STRING', ['N', categorical.length]) : null;
  const parts = numbers ? buildNumeric(g, numbers, recipe) : null;
  if (texts) return addOneHot(texts, categorical, parts);
  if (parts) return parts;
  throw new Error('features: a recipe needs at least one column');
}

/** All numeric columns at once, x DOUBLE [N,F]: standardised in double, cast last; then the missing-indicators. */
function buildNumeric(g: GraphBuilder, x: Value, { numeric, clip }: TableRecipe): Value {
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
  if (flagged.length === 0) return numbers;
  const indicators = op.Gather(op.Cast(missing, 'FLOAT'), g.constant('INT64', [flagged.length], flagged), 1);
  return op.Concat([numbers, indicators], 1);
}

/**
 * texts STRING [N,columns] -> FLOAT [N, width of parts + slots], one-hot behind the parts; whatever TRAIN did not have
 * lands in its column's slot 0. One dictionary for all columns, told apart by a prefix: a node for each column would
 * cost a request more than the network does.
 */
function addOneHot(texts: Value, columns: readonly CategoricalFeature[], parts: Value | null): Value {
  const g = texts.graph;
  const before = parts ? width(parts) : 0;
  const [keys, values, firsts]: [string[], number[], number[]] = [[], [], []];
  let next = before;
  columns.forEach(({ categories }, c) => {
    firsts.push(next++);
    for (const category of categories) {
      keys.push(`${c}:${category}`);
      values.push(next++);
    }
  });
  const prefixes = g.constant(
    'STRING',
    [1, columns.length],
    columns.map((_, c) => `${c}:`),
  );
  const known = op.LabelEncoder(op.StringConcat(prefixes, texts), { keys, values, fallback: -1 });
  const slots = op.Max(known, g.constant('INT64', [1, columns.length], firsts));
  const ones = op.Cast(op.Greater(slots, -1), 'FLOAT');
  return op.ScatterElements(parts ? op.Pad(parts, [0, 0], [0, next - before]) : zeros(ones, next), slots, ones, 1);
}

/** FLOAT [N,width] for ones [N,columns]. */
function zeros(ones: Value, width: number): Value {
  const g = ones.graph;
  const column = op.Gather(ones, g.constant('INT64', [1], [0]), 1);
  return op.Mul(column, g.constant('FLOAT', [1, width], new Array<number>(width).fill(0)));
}

function width(x: Value): number {
  const [, size] = x.shape;
  if (typeof size !== 'number') throw new Error('features: a part of unknown width');
  return size;
}
