/** From files to the canonical table, in this thread: read, decide kinds and target, split, encode. Knows no worker. */
import { createHash } from 'node:crypto';
import { encodeTable, type Part, type Table, type TableColumn } from '@anneal/trainer/contract';
import type { Encoding, SourceFile } from './bytes.ts';
import { MISSING_VALUES, show } from './cells.ts';
import type { RawColumn } from './column-builder.ts';
import {
  type ColumnKind,
  type ColumnOverride,
  overridesByName,
  renamesOf,
  type ValueRename,
} from './column-override.ts';
import type { Delimiter } from './csv-sniff.ts';
import { cellsOf, firstEqualRows } from './duplicates.ts';
import { DataError, type Finding } from './error.ts';
import { foldColumns } from './fold.ts';
import { type Ingested, ingest } from './ingest.ts';
import { decideKind, type KindDecision, type KindReason, overrideKind } from './kinds.ts';
import { LIMITS, type Limits } from './limits.ts';
import { type ColumnProfile, countCodes, profileColumn } from './profile.ts';
import { assignSplit, countParts, duplicateFindings, namesValidation } from './split.ts';
import { givenAndDrawn, type ResolvedSplit, resolveSplit, type SplitSpec } from './split-spec.ts';
import { decideTarget, type Target, type Task } from './target.ts';

/** A data set to be committed: where its files lie and what its owner says about them. */
export interface ParseInput {
  /** In order; one table is made of all. */
  files: SourceFile[];
  format: 'CSV' | 'JSONL' | 'IDX';
  /** A column's name, or LAST (in JSONL: the last key of the first object). */
  target: string;
  columns?: ColumnOverride[];
  split?: SplitSpec;
  encoding?: Encoding;
  /** CSV only; detected where absent. */
  delimiter?: Delimiter;
  header?: boolean;
  quotes?: 'AUTO' | 'QUOTED' | 'LITERAL';
  limits?: Partial<Limits>;
}

/** A column of the data set, target included. */
export interface ParsedColumn {
  name: string;
  kind: ColumnKind;
  role: 'FEATURE' | 'TARGET';
  /** False where the owner said the kind. */
  inferred: boolean;
  reason: KindReason | null;
  /** Renamed values. */
  values: ValueRename[];
  /** Of TENSOR: what each row's numbers are. */
  shape?: number[];
  /** Of TOKENS: the largest id + 1, and the tokens of the longest sequence. */
  vocabulary?: number;
  maxLength?: number;
  profile: ColumnProfile;
}

/** Everything that a dataset version records; all but `table` is plain JSON. */
export interface ParsedDataset {
  table: Uint8Array<ArrayBuffer>;
  /** sha256 (hex) of the table. */
  digest: string;
  rowCount: number;
  targetName: string;
  columns: ParsedColumn[];
  classes: string[] | null;
  inferredTask: Task;
  balance: { label: string; count: number }[] | null;
  split: { spec: ResolvedSplit; digest: string; counts: Record<Part, number> };
  findings: Finding[];
  /** Cell texts that mean missing, beside "". */
  missingValues: string[];
}

/** Parses a data set. @throws DataError for everything that its owner can mend. */
export async function parse(input: ParseInput): Promise<ParsedDataset> {
  const overrides = overridesByName(input.columns ?? []);
  const asked = splitOf(input);
  const ingested = await ingest({
    ...input,
    overrides,
    splitColumn: asked.kind === 'COLUMN' ? asked.column : null,
    encoding: input.encoding ?? 'AUTO',
    delimiter: input.delimiter ?? null,
    header: input.header ?? null,
    quotes: input.quotes ?? 'AUTO',
    limits: { ...LIMITS, ...input.limits },
  });
  const raw = folded(ingested, overrides, asked);
  const { rawTarget, targetName } = targetOf(raw, asked);
  const target = decideTarget(rawTarget, overrideKind(overrides.get(targetName)));
  const spec = settleValidation(asked, raw, input.split?.validation != null);
  const kinds = raw.columns.map((c) => decideKind(c, overrideKind(overrides.get(c.name)), isSplitColumn(spec, c.name)));
  const table = buildTable(raw, kinds, target, spec);
  const bytes = encodeTable(table.table);
  return {
    table: bytes,
    digest: sha256(bytes),
    rowCount: table.table.rowCount,
    targetName,
    columns: raw.columns.map((column, i) => describeColumn(column, i === raw.target ? target : kinds[i], overrides)),
    classes: target.classes,
    inferredTask: target.task,
    balance: target.balance,
    split: { spec, digest: sha256(table.table.split), counts: countParts(table.table.split) },
    findings: [
      ...raw.findings,
      ...kinds.flatMap((k, i) => (k.finding === null || i === raw.target ? [] : [k.finding])),
      ...target.findings,
      ...usableFeatures(table.table),
      ...rareClasses(target, table.table.split),
      ...duplicateFindings(table.table.split, table.firstEqual),
    ],
    missingValues: [...MISSING_VALUES],
  };
}

function splitOf({ format, split = {}, files }: ParseInput): ResolvedSplit {
  if (format === 'IDX' && split.files != null)
    throw new DataError('BAD_SPLIT', 'split.files: both IDX files hold the same rows; use testEvery, or shares', {
      field: ['split', 'files'],
    });
  return resolveSplit(split, files.length);
}

/** The same rows, with groups of columns folded into tensors. */
function folded(raw: Ingested, overrides: Map<string, ColumnOverride>, split: ResolvedSplit): Ingested {
  const target = raw.columns[raw.target]?.name ?? '';
  const spared = [target, ...(split.kind === 'COLUMN' ? [split.column] : [])];
  const columns = foldColumns(raw.columns, overrides.values(), { spared, rows: raw.rows });
  return { ...raw, columns, target: columns.findIndex(({ name }) => name === target) };
}

function targetOf(raw: Ingested, split: ResolvedSplit): { rawTarget: RawColumn; targetName: string } {
  const rawTarget = raw.columns[raw.target];
  if (rawTarget === undefined) throw new Error('ingest returned a target that is not among its columns');
  if (isSplitColumn(split, rawTarget.name))
    throw new DataError('BAD_SPLIT', `split.column: "${rawTarget.name}" is the target; name another column`, {
      field: ['split', 'column'],
    });
  if (raw.columns.length === 1)
    throw new DataError(
      'NO_FEATURES',
      `the only column is the target "${rawTarget.name}"; expected at least one more. Is the delimiter right?`,
      { field: ['target'] },
    );
  return { rawTarget, targetName: rawTarget.name };
}

function isSplitColumn(split: ResolvedSplit, name: string): boolean {
  return split.kind === 'COLUMN' && split.column === name;
}

function splitCells(split: ResolvedSplit, raw: Ingested): RawColumn['texts'] {
  return raw.columns.find((column) => isSplitColumn(split, column.name))?.texts ?? null;
}

// Only the cells tell whether a split column names VALIDATION rows itself.
function settleValidation(split: ResolvedSplit, raw: Ingested, wanted: boolean): ResolvedSplit {
  if (!namesValidation(splitCells(split, raw)?.dictionary ?? [])) return split;
  if (wanted) throw givenAndDrawn();
  return { ...split, validation: 0 };
}

function buildTable(
  raw: Ingested,
  kinds: readonly KindDecision[],
  target: Target,
  spec: ResolvedSplit,
): { table: Table; firstEqual: Uint32Array } {
  const columns = raw.columns.flatMap((column, i) =>
    i === raw.target ? [] : tableColumn(column, kinds[i]?.kind ?? 'IGNORE'),
  );
  const rowCount = raw.rows.length;
  const targetCells = [target.codes, target.values].filter((cells) => cells !== null);
  // Without features every row of a class would be "equal".
  const compared = columns.length === 0 ? [raw.rows] : [...columns.map(cellsOf), ...targetCells];
  const firstEqual = firstEqualRows(rowCount, compared);
  const split = assignSplit(spec, {
    rowCount,
    rows: raw.rows,
    files: raw.files,
    column: splitCells(spec, raw),
    firstEqual,
    strata: strataOf(target, rowCount),
  });
  const { name, classes, codes, values } = target;
  return { table: { rowCount, columns, target: { name, classes, codes, values }, rows: raw.rows, split }, firstEqual };
}

function tableColumn(column: RawColumn, kind: ColumnKind): TableColumn[] {
  if (column.array?.kind === kind) return [{ name: column.name, ...column.array }];
  if (kind === 'NUMERIC' && column.numbers !== null) return [{ name: column.name, kind, values: column.numbers }];
  if ((kind === 'CATEGORICAL' || kind === 'TEXT') && column.texts !== null)
    return [{ name: column.name, kind, ...column.texts }];
  return [];
}

const BINS = 10;

/** Classes are strata; so are the deciles of a regression target. */
function strataOf(target: Target, rowCount: number): Uint32Array {
  if (target.task !== 'REGRESSION' && target.codes !== null) return Uint32Array.from(target.codes);
  const sorted = (target.values ?? new Float64Array(rowCount)).slice().sort();
  const edges = Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor(((i + 1) * rowCount) / BINS)] ?? 0);
  return Uint32Array.from(target.values ?? [], (value) => edges.filter((edge) => value >= edge).length);
}

function describeColumn(
  column: RawColumn,
  decided: Target | KindDecision | undefined,
  overrides: ReadonlyMap<string, ColumnOverride>,
): ParsedColumn {
  const override = overrides.get(column.name);
  const base = { name: column.name, values: renamesOf(override) };
  if (decided !== undefined && 'kind' in decided) {
    const { kind, inferred, reason } = decided;
    const asCategories = kind === 'CATEGORICAL' || kind === 'TEXT';
    const profile = profileColumn(column, asCategories);
    return { ...base, kind, role: 'FEATURE', inferred, reason, profile, ...sizesOf(column) };
  }
  const kind = decided?.task === 'REGRESSION' ? 'NUMERIC' : 'CATEGORICAL';
  const inferred = overrideKind(override) === null;
  const profile = profileColumn(column, kind === 'CATEGORICAL');
  return { ...base, kind, role: 'TARGET', inferred, reason: null, profile };
}

function sizesOf({ array }: RawColumn): Pick<ParsedColumn, 'shape' | 'vocabulary' | 'maxLength'> {
  if (array === null) return {};
  if (array.kind === 'TENSOR') return { shape: array.shape };
  return { vocabulary: array.vocabulary, maxLength: array.maxLength };
}

function usableFeatures(table: Table): Finding[] {
  if (table.columns.some((column) => column.kind !== 'TEXT')) return [];
  const message = 'no column is left that a network can read yet; give one the kind NUMERIC or CATEGORICAL to train';
  return [{ code: 'NO_USABLE_FEATURES', severity: 'WARNING', message, column: null, count: null }];
}

function rareClasses(target: Target, split: Uint8Array): Finding[] {
  const { classes, codes, task } = target;
  if (classes === null || codes === null || task === 'REGRESSION') return [];
  const counts = countCodes(
    codes.filter((_, row) => split[row] === 0),
    classes.length,
  );
  const rare = classes.filter((_, i) => (counts[i] ?? 0) < 2);
  if (rare.length === 0) return [];
  const shown = rare.slice(0, 10).map(show).join(', ');
  const message = `${rare.length} classes have fewer than 2 rows in TRAIN: ${shown}${rare.length > 10 ? ', ...' : ''}`;
  return [{ code: 'RARE_CLASS', severity: 'WARNING', message, column: target.name, count: rare.length }];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
