/** What a feature column is: inferred from its cells or as its owner says. Pure. */

import type { RawColumn } from './column-builder.ts';
import type { ColumnKind, ColumnOverride } from './column-override.ts';
import type { Finding } from './error.ts';

/** Why a column is ignored, or, for CONSTANT, why it will teach a network nothing. */
export type KindReason = 'IDENTIFIER' | 'ALL_MISSING' | 'CONSTANT' | 'SPLIT_COLUMN' | 'OVERRIDE';

export interface KindDecision {
  kind: ColumnKind;
  inferred: boolean;
  reason: KindReason | null;
  finding: Finding | null;
}

/** Fewer rows than this can be all distinct by chance. */
const IDENTIFIER_ROWS = 20;
/** Texts are categories when there are this few of them, ... */
const FEW_CATEGORIES = 20;
/** ... or when each comes back often enough for a network to learn what it means. */
const MOST_CATEGORIES = 1000;
const CATEGORY_SHARE = 0.2;

/** Decides a feature column's kind. */
export function decideKind(column: RawColumn, override: ColumnKind | null, isSplitColumn: boolean): KindDecision {
  if (isSplitColumn) return { kind: 'IGNORE', inferred: override === null, reason: 'SPLIT_COLUMN', finding: null };
  if (override === 'IGNORE') return { kind: 'IGNORE', inferred: false, reason: 'OVERRIDE', finding: null };
  const inferred = override === null;
  if (column.array !== null) return { kind: column.array.kind, inferred, reason: null, finding: null };
  if (column.missing === column.rows) {
    const message = `column "${column.name}" has no value in any row and is left out`;
    return {
      kind: 'IGNORE',
      inferred,
      reason: 'ALL_MISSING',
      finding: warning('ALL_MISSING', column, message, column.rows),
    };
  }
  const kind = override ?? (isIdentifier(column) ? 'IGNORE' : inferKind(column));
  if (kind === 'IGNORE') {
    const message =
      `column "${column.name}" has a different value in every row and is left out as an identifier; ` +
      'give it a kind to use it';
    return { kind, inferred, reason: 'IDENTIFIER', finding: note('IDENTIFIER', column, message, column.distinct) };
  }
  if (column.distinct === 1) {
    const message = `column "${column.name}" has the same value in every row that has one`;
    return { kind, inferred, reason: 'CONSTANT', finding: warning('CONSTANT_COLUMN', column, message, null) };
  }
  const message = `column "${column.name}" is TEXT, which no network reads yet; make it CATEGORICAL to use it`;
  return {
    kind,
    inferred,
    reason: null,
    finding: kind === 'TEXT' ? note('TEXT_LEFT_OUT', column, message, column.distinct) : null,
  };
}

function inferKind(column: RawColumn): ColumnKind {
  if (column.numbers !== null) return 'NUMERIC';
  const distinct = column.distinct ?? 0;
  const present = column.rows - column.missing;
  const few = distinct <= FEW_CATEGORIES || (distinct <= MOST_CATEGORIES && distinct <= CATEGORY_SHARE * present);
  return few ? 'CATEGORICAL' : 'TEXT';
}

function isIdentifier(column: RawColumn): boolean {
  const present = column.rows - column.missing;
  if (present < IDENTIFIER_ROWS || column.distinct !== present) return false;
  // An integer measurement can be all distinct where it is rarely taken; an identifier is never missing.
  if (column.numbers !== null) return column.integers && column.missing === 0;
  return !isProse(column.texts?.dictionary ?? []);
}

// Sentences are all distinct too, but they are what a text model will read: identifiers are single words.
function isProse(texts: readonly string[]): boolean {
  return texts.filter((text) => /\s/.test(text)).length > texts.length / 2;
}

function warning(code: Finding['code'], column: RawColumn, message: string, count: number | null): Finding {
  return { code, severity: 'WARNING', message, column: column.name, count };
}

function note(code: Finding['code'], column: RawColumn, message: string, count: number | null): Finding {
  return { code, severity: 'NOTE', message, column: column.name, count };
}

/** The override of a column's kind, if there is one. */
export function overrideKind(override: ColumnOverride | undefined): ColumnKind | null {
  return override?.kind ?? null;
}
