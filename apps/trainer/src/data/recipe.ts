/**
 * The recipe: what preprocessing learned from the TRAIN rows, as plain numbers and categories.
 * Knows no ONNX (features.ts turns it into nodes) and never sees a row of another part.
 */
import { type Feature, networkInputOf, type RunSpec, type Table, type TableColumn } from '../contract.ts';
import { JobFailure } from '../failure.ts';
import type { NetworkInput } from '../zoo/network.ts';
import { fitChannels } from './channels.ts';

/** x -> clip((x ?? fill) - center) / scale, and a second feature "was missing" where TRAIN has missing values. */
export interface NumericFeature {
  name: string;
  fill: number;
  center: number;
  scale: number;
  indicator: boolean;
}

/** Category i has slot i + 1; slot 0 is for everything else. "" among the categories is a missing value. */
export interface CategoricalFeature {
  name: string;
  categories: string[];
}

/** Features reach the network in this order: numeric ones, their indicators, one-hot slots. */
export interface TableRecipe {
  kind: 'FEATURES';
  numeric: NumericFeature[];
  categorical: CategoricalFeature[];
  /** Standardised values beyond ±clip are cut; null for preprocessing NONE. */
  clip: number | null;
  /** Inputs of the network. */
  width: number;
}

/** One tensor: (x - center) / scale, both per index of the first axis; null for preprocessing NONE. */
export interface TensorRecipe {
  kind: 'TENSOR';
  name: string;
  shape: number[];
  channels: { center: number[]; scale: number[] } | null;
}

/** One sequence of ids in 0..vocabulary-1: each moves up by one, so that 0 is padding; all others become the last. */
export interface TokensRecipe {
  kind: 'TOKENS';
  name: string;
  vocabulary: number;
  maxLength: number;
}

export type Recipe = TableRecipe | TensorRecipe | TokensRecipe;

/**
 * Categories that get a slot of their own, by frequency; a free-text-like column must not become thousands of inputs.
 */
export const MAX_CATEGORIES = 100;

/**
 * One outlier must not throw the network: heavy tails (populations, capital gains) reach 30 standard deviations.
 * Cutting at 5 was as good as at 10 on california_housing and adult, and better on the smaller tables.
 */
export const CLIP = 5;

type Asked = Pick<RunSpec, 'features' | 'preprocessing'>;

/** Learns the recipe of a RunSpec's features. @throws JobFailure DATA_MISMATCH when the table lacks a feature. */
export function fitRecipe(table: Table, rows: Uint32Array, spec: Asked): Recipe {
  const [feature] = spec.features;
  if (!feature || feature.kind === 'NUMERIC' || feature.kind === 'CATEGORICAL') return fitTable(table, rows, spec);
  const column = columnOf(table, feature);
  if (feature.kind === 'TENSOR' && column.kind === 'TENSOR' && `${feature.shape}` === `${column.shape}`) {
    const { kind, name, shape } = feature;
    return { kind, name, shape, channels: spec.preprocessing === 'NONE' ? null : fitChannels(column, rows) };
  }
  const { name, kind } = feature;
  if (feature.kind === 'TOKENS' && column.kind === 'TOKENS') {
    const { vocabulary, maxLength } = feature;
    if (vocabulary >= column.vocabulary && maxLength >= column.maxLength) return { ...feature, kind: 'TOKENS' };
  }
  throw new JobFailure('DATA_MISMATCH', `feature "${name}": the table's ${kind} column is of another size`);
}

/** What a network behind the recipe reads. */
export function inputOf(recipe: Recipe): NetworkInput {
  if (recipe.kind === 'FEATURES') return { kind: 'FEATURES', width: recipe.width };
  return networkInputOf([recipe]) ?? { kind: 'FEATURES', width: 0 };
}

/** Learns the recipe of a table's columns. @throws JobFailure DATA_MISMATCH when the table lacks a feature. */
export function fitTable(table: Table, rows: Uint32Array, spec: Asked): TableRecipe {
  const raw = spec.preprocessing === 'NONE';
  const numeric: NumericFeature[] = [];
  const categorical: CategoricalFeature[] = [];
  for (const feature of spec.features) {
    const column = columnOf(table, feature);
    if (column.kind === 'NUMERIC')
      numeric.push(raw ? asIs(column.name) : fitNumeric(column.name, take(column.values, rows)));
    else if (column.kind === 'CATEGORICAL') categorical.push({ name: column.name, categories: frequent(column, rows) });
    else throw new JobFailure('DATA_MISMATCH', `feature "${column.name}": ${column.kind} stands alone in a network`);
  }
  const indicators = numeric.filter((feature) => feature.indicator).length;
  const slots = categorical.reduce((sum, feature) => sum + feature.categories.length + 1, 0);
  return {
    kind: 'FEATURES',
    numeric,
    categorical,
    clip: raw ? null : CLIP,
    width: numeric.length + indicators + slots,
  };
}

/** The table's column behind a feature. @throws JobFailure DATA_MISMATCH naming what the table has instead. */
export function columnOf(table: Table, feature: Feature): TableColumn {
  const column = table.columns.find((c) => c.name === feature.name);
  if (column?.kind === feature.kind) return column;
  const found = column ? `the table's is ${column.kind}` : 'the table has none of that name';
  throw new JobFailure('DATA_MISMATCH', `feature "${feature.name}": expected a ${feature.kind} column, ${found}`);
}

/** preprocessing NONE: values as they are. A missing one becomes 0, because NaN would poison every weight. */
function asIs(name: string): NumericFeature {
  return { name, fill: 0, center: 0, scale: 1, indicator: false };
}

function fitNumeric(name: string, values: Float64Array): NumericFeature {
  const present = values.filter((v) => !Number.isNaN(v)).sort();
  const missing = values.length - present.length;
  const fill = median(present);
  const center = values.reduce((sum, v) => sum + (Number.isNaN(v) ? fill : v) / values.length, 0);
  const variance = values.reduce((sum, v) => sum + ((Number.isNaN(v) ? fill : v) - center) ** 2 / values.length, 0);
  // Equality, not a small variance: the mean of equal values is off by a rounding error, which would become the scale.
  const constant = present.length === 0 || present[0] === present[present.length - 1];
  const scale = !constant && variance > 0 && Number.isFinite(variance) ? Math.sqrt(variance) : 1;
  return { name, fill, center, scale, indicator: missing > 0 && present.length > 0 };
}

function median(sorted: Float64Array): number {
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 ? high : (high + (sorted[middle - 1] ?? high)) / 2;
}

/** The most frequent categories of the rows, in the dictionary's order so that equal counts need no tie-break. */
function frequent(column: { dictionary: string[]; codes: Int32Array }, rows: Uint32Array): string[] {
  const counts = new Uint32Array(column.dictionary.length + 1); // the last is for missing, code -1
  for (const row of rows) {
    const code = column.codes[row] ?? -1;
    const slot = code < 0 ? column.dictionary.length : code;
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  return [...column.dictionary, '']
    .map((text, index) => ({ text, index, count: counts[index] ?? 0 }))
    .filter((category) => category.count > 0)
    .sort((a, b) => b.count - a.count || a.index - b.index)
    .slice(0, MAX_CATEGORIES)
    .sort((a, b) => a.index - b.index)
    .map((category) => category.text);
}

/** The values at these rows. */
function take(values: Float64Array, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row] ?? Number.NaN);
}
