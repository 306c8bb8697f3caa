/** Divides rows into TRAIN, VALIDATION and TEST: the same table and spec give the same parts. Pure. */
import { PARTS, type Part } from '@anneal/trainer/contract';
import { type Random, seededRandom, shuffle } from '../random.ts';
import { show } from './cells.ts';
import { DataError, type Finding } from './error.ts';
import type { ResolvedSplit } from './split-spec.ts';

const TRAIN = PARTS.indexOf('TRAIN');
const VALIDATION = PARTS.indexOf('VALIDATION');
const TEST = PARTS.indexOf('TEST');
const UNASSIGNED = 255;

/** What the split may depend on. */
export interface SplitInput {
  rowCount: number;
  /** Index of each row among the data records of all files. */
  rows: Uint32Array;
  /** File of each row. */
  files: Uint16Array;
  /** The split column's cells, if there is one. */
  column: { dictionary: string[]; codes: Int32Array } | null;
  /** For each row the first row equal to it in features and target. */
  firstEqual: Uint32Array;
  /** For each row the group whose shares are kept: its class, or its target's decile. */
  strata: Uint32Array;
}

/** Whether a split column's cells name VALIDATION rows: then none are drawn. */
export function namesValidation(dictionary: readonly string[]): boolean {
  return dictionary.some((text) => ['VAL', 'VALIDATION'].includes(text.toUpperCase()));
}

/** Part of each row (index into PARTS). @throws DataError BAD_SPLIT, SPLIT_TOO_SMALL. */
export function assignSplit(spec: ResolvedSplit, input: SplitInput): Uint8Array {
  const random = seededRandom(spec.seed);
  const split = givenParts(spec, input);
  const open = Uint32Array.from(split.keys()).filter((row) => split[row] === UNASSIGNED);
  const strata = spec.stratify ? input.strata : new Uint32Array(input.rowCount);
  assignGroups(split, open, groupEqual(open, input.firstEqual), strata, sharesOf(spec, split), random);
  checkSizes(spec, split);
  return split;
}

/** Rows of each part. */
export function countParts(split: Uint8Array): Record<Part, number> {
  const counts = { TRAIN: 0, VALIDATION: 0, TEST: 0 };
  for (const part of split) counts[PARTS[part] ?? 'TRAIN']++;
  return counts;
}

// What the spec says outright; the rest stays UNASSIGNED and is drawn.
function givenParts(spec: ResolvedSplit, input: SplitInput): Uint8Array {
  const split = new Uint8Array(input.rowCount).fill(UNASSIGNED);
  switch (spec.kind) {
    case 'RANDOM':
      return split;
    case 'TEST_EVERY':
      return split.map((_, row) => ((input.rows[row] ?? 0) % spec.testEvery === 0 ? TEST : UNASSIGNED));
    case 'FILES': {
      const parts = openTrain(spec.files.map((part) => PARTS.indexOf(part)));
      return split.map((_, row) => parts[input.files[row] ?? 0] ?? UNASSIGNED);
    }
    case 'COLUMN': {
      const { dictionary, codes } = input.column ?? { dictionary: [], codes: new Int32Array(0) };
      if (codes.includes(-1)) throw badCell(spec.column, 'an empty cell');
      const parts = openTrain(dictionary.map((text) => partNamed(text, spec.column)));
      return split.map((_, row) => parts[codes[row] ?? 0] ?? UNASSIGNED);
    }
  }
}

// Where validation rows are given none are drawn; else they are drawn from what is said to be TRAIN.
function openTrain(parts: number[]): number[] {
  return parts.includes(VALIDATION) ? parts : parts.map((part) => (part === TRAIN ? UNASSIGNED : part));
}

function partNamed(text: string, column: string): number {
  const name = text.toUpperCase();
  const part = PARTS.findIndex((p) => p === (name === 'VAL' ? 'VALIDATION' : name));
  if (part === -1) throw badCell(column, show(text));
  return part;
}

function badCell(column: string, found: string): DataError {
  return new DataError(
    'BAD_SPLIT',
    `split.column: "${column}" holds ${found}; expected train, validation (or val) or test in every row`,
    { field: ['split', 'column'] },
  );
}

function sharesOf(spec: ResolvedSplit, split: Uint8Array): number[] {
  if (spec.kind === 'RANDOM') return [spec.train, spec.validation, spec.test];
  return split.includes(VALIDATION) ? [1, 0, 0] : [1 - spec.validation, spec.validation, 0];
}

/**
 * Equal rows go together: for each row its leader (the first equal row among `open`), and how many follow each leader.
 */
interface Groups {
  leader: Int32Array;
  size: Uint32Array;
}

function groupEqual(open: Uint32Array, firstEqual: Uint32Array): Groups {
  const leaderOf = new Int32Array(firstEqual.length).fill(-1);
  const leader = new Int32Array(firstEqual.length).fill(-1);
  const size = new Uint32Array(firstEqual.length);
  for (const row of open) {
    const first = firstEqual[row] ?? row;
    if (leaderOf[first] === -1) leaderOf[first] = row;
    const to = leaderOf[first] ?? row;
    leader[row] = to;
    size[to] = (size[to] ?? 0) + 1;
  }
  return { leader, size };
}

/**
 * Draws the open rows' parts. Within a stratum the groups are shuffled, larger ones first, and each goes to the part
 * that
 * lacks most rows; what a stratum leaves over or short is carried to the next, so the totals keep the shares too.
 */
function assignGroups(
  split: Uint8Array,
  open: Uint32Array,
  { leader, size }: Groups,
  strata: Uint32Array,
  shares: number[],
  random: Random,
): void {
  const lacking = shares.map(() => 0);
  for (const leaders of byStratum(
    open.filter((row) => leader[row] === row),
    strata,
  )) {
    shuffle(leaders, random);
    if (leaders.some((row) => (size[row] ?? 0) > 1)) leaders.sort((a, b) => (size[b] ?? 0) - (size[a] ?? 0));
    const rows = leaders.reduce((sum, row) => sum + (size[row] ?? 0), 0);
    for (const [part, share] of shares.entries()) lacking[part] = (lacking[part] ?? 0) + share * rows;
    for (const [i, row] of leaders.entries()) {
      const part = i === 0 ? TRAIN : neediest(lacking, shares); // no class may be missing from training
      split[row] = part;
      lacking[part] = (lacking[part] ?? 0) - (size[row] ?? 0);
    }
  }
  for (const row of open) split[row] = split[leader[row] ?? row] ?? TRAIN;
}

// Among equals the later part: TEST must not go empty. 1e-9 absorbs rounding, so that equal shares compare as equal.
function neediest(lacking: number[], shares: number[]): number {
  let best = TRAIN;
  for (let part = 1; part < lacking.length; part++)
    if ((shares[part] ?? 0) > 0 && (lacking[part] ?? 0) > (lacking[best] ?? 0) - 1e-9) best = part;
  return best;
}

function byStratum(rows: Uint32Array, strata: Uint32Array): Uint32Array[] {
  const counts: number[] = [];
  for (const row of rows) counts[strata[row] ?? 0] = (counts[strata[row] ?? 0] ?? 0) + 1;
  const groups = Array.from(counts, (count) => new Uint32Array(count ?? 0));
  const filled = groups.map(() => 0);
  for (const row of rows) {
    const stratum = strata[row] ?? 0;
    const group = groups[stratum];
    if (group) group[filled[stratum] ?? 0] = row;
    filled[stratum] = (filled[stratum] ?? 0) + 1;
  }
  return groups;
}

function checkSizes(spec: ResolvedSplit, split: Uint8Array): void {
  const counts = countParts(split);
  const least: [Part, number][] = [
    ['TRAIN', 2],
    ['VALIDATION', spec.validation > 0 ? 1 : 0],
    ['TEST', 1],
  ];
  for (const [part, count] of least)
    if (counts[part] < count)
      throw new DataError(
        'SPLIT_TOO_SMALL',
        `the split leaves ${counts[part]} rows for ${part}, expected at least ${count} (TRAIN ${counts.TRAIN}, ` +
          `VALIDATION ${counts.VALIDATION}, TEST ${counts.TEST} of ${split.length} rows); bring more rows or ` +
          'change the split. A drawn split keeps equal rows together; testEvery, column and files do not',
        { field: ['split'], details: { counts } },
      );
}

/** Findings on equal rows: kept together where the split was drawn, reported where it was given. */
export function duplicateFindings(split: Uint8Array, firstEqual: Uint32Array): Finding[] {
  const earliest = new Uint8Array(split.length).fill(UNASSIGNED);
  let equal = 0;
  for (const [row, first] of firstEqual.entries()) {
    earliest[first] = Math.min(earliest[first] ?? UNASSIGNED, split[row] ?? UNASSIGNED);
    if (first !== row) equal++;
  }
  let leaked = 0;
  for (const [row, first] of firstEqual.entries()) if ((split[row] ?? 0) > (earliest[first] ?? 0)) leaked++;
  const findings: Finding[] = [];
  if (equal > 0)
    findings.push({
      code: 'DUPLICATE_ROWS',
      severity: 'NOTE',
      message: `${equal} rows repeat an earlier row in every feature and in the target`,
      column: null,
      count: equal,
    });
  if (leaked > 0)
    findings.push({
      code: 'DUPLICATES_ACROSS_SPLITS',
      severity: 'WARNING',
      message: `${leaked} rows of VALIDATION or TEST are equal to a row of an earlier part: metrics on them flatter`,
      column: null,
      count: leaked,
    });
  return findings;
}
