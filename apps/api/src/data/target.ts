/** The target column: its classes, its values, and the task that they suggest. Pure. */
import { compareCodePoints, show, toNumber } from './cells.ts';
import type { RawColumn } from './column-builder.ts';
import type { ColumnKind } from './column-override.ts';
import { DataError, type Finding } from './error.ts';
import { countCodes } from './profile.ts';

export type Task = 'BINARY' | 'MULTICLASS' | 'REGRESSION';

/** What is learned. An integer target of few values has both classes and values: the experiment decides. */
export interface Target {
  name: string;
  classes: string[] | null;
  codes: Int32Array | null;
  values: Float64Array | null;
  task: Task;
  balance: { label: string; count: number }[] | null;
  findings: Finding[];
}

/** The most classes that a network's output and a confusion matrix are good for. */
const MOST_CLASSES = 1000;
/** Integers with at most this many values are taken for classes. */
const FEW_INTEGERS = 20;

/** Fixes the target's classes and values. @throws DataError BAD_TARGET, ONE_CLASS, TOO_MANY_CLASSES. */
export function decideTarget(column: RawColumn, override: ColumnKind | null): Target {
  const array = column.array?.kind ?? null;
  const kind = array ?? override;
  if (array !== null || override === 'IGNORE' || override === 'TEXT')
    throw new DataError('BAD_TARGET', `the target "${column.name}" cannot be ${kind}; make it CATEGORICAL or NUMERIC`, {
      field: ['columns'],
    });
  if (column.distinct === 1) {
    const only = column.texts === null ? String(column.numbers?.[0]) : (column.texts.dictionary[0] ?? '');
    throw new DataError(
      'ONE_CLASS',
      `the target "${column.name}" is ${show(only)} in every row; expected at least two different values`,
      { field: ['target'] },
    );
  }
  const classes = classesOf(column);
  const task = inferTask(column, classes, override);
  return {
    name: column.name,
    classes: classes?.labels ?? null,
    codes: classes?.codes ?? null,
    values: column.numbers,
    task,
    balance: classes && balanceOf(classes),
    findings: classes === null ? [] : equalLabels(column.name, classes.labels),
  };
}

interface Classes {
  labels: string[];
  codes: Int32Array;
}

function classesOf(column: RawColumn): Classes | null {
  const { texts } = column;
  if (texts === null || texts.dictionary.length > MOST_CLASSES) return null;
  const numeric = column.numbers !== null;
  const order = Array.from(texts.dictionary.keys()).sort((a, b) => {
    const [x, y] = [texts.dictionary[a] ?? '', texts.dictionary[b] ?? ''];
    return (numeric ? toNumber(x) - toNumber(y) : 0) || compareCodePoints(x, y);
  });
  const rank = new Int32Array(order.length);
  for (const [position, code] of order.entries()) rank[code] = position;
  return {
    labels: order.map((code) => texts.dictionary[code] ?? ''),
    codes: texts.codes.map((code) => rank[code] ?? -1),
  };
}

function inferTask(column: RawColumn, classes: Classes | null, override: ColumnKind | null): Task {
  const few = column.numbers?.every(Number.isInteger) === true && (column.distinct ?? 0) <= FEW_INTEGERS;
  const isClasses = override === 'CATEGORICAL' || (override === null && (column.numbers === null || few));
  if (!isClasses) return 'REGRESSION';
  if (classes === null)
    throw new DataError(
      'TOO_MANY_CLASSES',
      `the target "${column.name}" has ${column.distinct} different values; expected at most ${MOST_CLASSES} ` +
        'classes, or numbers for a regression',
      { field: ['target'] },
    );
  return classes.labels.length === 2 ? 'BINARY' : 'MULTICLASS';
}

function balanceOf({ labels, codes }: Classes) {
  const counts = countCodes(codes, labels.length);
  return labels.map((label, i) => ({ label, count: counts[i] ?? 0 }));
}

// "1" and "1.0" are two labels, as written; they were probably meant as one.
function equalLabels(name: string, labels: readonly string[]): Finding[] {
  const twice = labels.filter((label, i) => i > 0 && toNumber(label) === toNumber(labels[i - 1] ?? ''));
  if (twice.length === 0) return [];
  const message =
    `the target "${name}" writes ${twice.map(show).join(', ')} in several ways, which are classes of their own; ` +
    'rename the values to join them';
  return [{ code: 'EQUAL_LABELS', severity: 'WARNING', message, column: name, count: twice.length }];
}
