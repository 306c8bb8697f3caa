/**
 * What a version was trained on, column by column: the bins that the edge counts by, and how many rows of training
 * stood in each. Pure.
 */
import type { ColumnProfile } from '@anneal/edge/contract';
import { PARTS, type Table, type TableColumn } from '@anneal/trainer/contract';
import type { PredictionsFile } from '../contract.ts';
import type { BinCounts } from '../evaluation/drift.ts';

/** The name under which answers are counted, among the columns; as at the edge. */
export const PREDICTION = '$prediction';
/** A route goes to the edge whole: of wider tables the first columns have a profile. */
const MAX_COLUMNS = 500;
/** Characters of a version's profile as JSON: ten versions must stay below the edge's limit of a body. */
const MAX_LENGTH = 500_000;
const BINS = 10;
const MAX_CATEGORIES = 50;
/** Longer texts stand among the others. */
const MAX_CATEGORY_LENGTH = 200;
/** As a profile may list. */
const MAX_CLASSES = 100;

/** A column's bins, and the rows of training in them. */
export interface CountedColumn {
  profile: ColumnProfile;
  expected: BinCounts;
}

/** Columns that a model reads, and as what. */
export interface ProfiledColumn {
  name: string;
  kind: 'NUMERIC' | 'CATEGORICAL';
}

/**
 * The columns' bins over the TRAIN rows, in the order asked for, as many as a route has room for. Left out are columns
 * that the table has as another kind, or without values.
 */
export function profileTable(table: Table, columns: readonly ProfiledColumn[]): CountedColumn[] {
  const train = Uint32Array.from(table.split.keys()).filter((row) => table.split[row] === PARTS.indexOf('TRAIN'));
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  let length = 0;
  return columns.slice(0, MAX_COLUMNS).flatMap(({ name, kind }) => {
    const column = byName.get(name);
    if (column?.kind !== kind || name === PREDICTION || length > MAX_LENGTH) return [];
    const counted = profileColumn(column, train);
    length += JSON.stringify(counted?.profile ?? '').length;
    return counted && length <= MAX_LENGTH ? [counted] : [];
  });
}

function profileColumn(column: TableColumn, train: Uint32Array): CountedColumn | undefined {
  if (column.kind === 'NUMERIC') {
    const { values } = column;
    return numericProfile(
      column.name,
      Float64Array.from(train, (row) => values[row] ?? Number.NaN),
    );
  }
  if (column.kind !== 'CATEGORICAL') return undefined;
  const { codes, dictionary } = column;
  const counts = new Array<number>(dictionary.length).fill(0);
  let missing = 0;
  for (const row of train) {
    const code = codes[row] ?? -1;
    if (code < 0) missing++;
    else counts[code] = (counts[code] ?? 0) + 1;
  }
  return categoricalProfile(column.name, dictionary, { counts, missing });
}

/** What the version answered on the held-out rows, as the edge counts it. */
export function profilePredictions(file: PredictionsFile): CountedColumn | undefined {
  if (file.kind === 'VALUES') return numericProfile(PREDICTION, Float64Array.from(file.values));
  if (file.classes.length > MAX_CLASSES) return undefined;
  const counts = file.classes.map(() => 0);
  for (const label of file.labels) counts[label] = (counts[label] ?? 0) + 1;
  return {
    profile: { column: PREDICTION, kind: 'CATEGORICAL', categories: file.classes, others: false },
    expected: { n: file.labels.length, missing: 0, counts: [...counts, 0] },
  };
}

/**
 * Bins of at least a tenth of the rows, so ten at most. Equal values stand in one bin, so that of a column of zeros
 * almost everywhere the zeros are a bin, and what is above them another. NaN = missing; undefined without values.
 */
export function numericProfile(column: string, cells: Float64Array): CountedColumn | undefined {
  const values = cells.filter(Number.isFinite).sort();
  const [min, max] = [values[0], values.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const edges: number[] = [];
  const counts: number[] = [];
  let start = 0;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] ?? max;
    if (value === values[i - 1] || (i - start) * BINS < values.length) continue;
    edges.push(value);
    counts.push(i - start);
    start = i;
  }
  counts.push(values.length - start);
  return {
    profile: { column, kind: 'NUMERIC', edges, min, max },
    expected: { n: cells.length, missing: cells.length - values.length, counts },
  };
}

/** The most frequent categories, and one bin for all others. Undefined without values. */
export function categoricalProfile(
  column: string,
  dictionary: readonly string[],
  { counts, missing }: { counts: readonly number[]; missing: number },
): CountedColumn | undefined {
  const seen = dictionary.map((name, i) => ({ name, count: counts[i] ?? 0 })).filter(({ count }) => count > 0);
  if (seen.length === 0) return undefined;
  const listed = seen
    .filter(({ name }) => name.length <= MAX_CATEGORY_LENGTH)
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_CATEGORIES);
  const total = seen.reduce((sum, { count }) => sum + count, 0);
  const others = total - listed.reduce((sum, { count }) => sum + count, 0);
  return {
    profile: { column, kind: 'CATEGORICAL', categories: listed.map(({ name }) => name), others: others > 0 },
    expected: { n: total + missing, missing, counts: [...listed.map(({ count }) => count), others] },
  };
}

/** What the bins hold, for people, in their order. */
export function binLabels(profile: ColumnProfile): string[] {
  if (profile.kind === 'CATEGORICAL') return [...profile.categories, '(others)'];
  const { edges } = profile;
  if (edges.length === 0) return ['(any)'];
  return [
    `< ${edges[0]}`,
    ...edges.map((edge, i) => (i + 1 < edges.length ? `${edge} to < ${edges[i + 1]}` : `>= ${edge}`)),
  ];
}
