/** How a data set is divided into TRAIN, VALIDATION and TEST, as asked and as resolved. Assigns no row. */
import type { Part } from '@anneal/trainer/contract';
import { z } from 'zod';
import { DataError } from './error.ts';

const Share = z.number().min(0).max(1).nullish();

/**
 * The split as a person asks for it: shares, or one of column, testEvery and files. {} is 70/15/15, seed 0,
 * stratified.
 */
export const SplitSpec = z.strictObject({
  train: Share,
  validation: Share,
  test: Share,
  seed: z.int().min(0).nullish(),
  stratify: z.boolean().nullish(),
  column: z.string().min(1).nullish(),
  testEvery: z.int().min(2).nullish(),
  files: z.array(z.enum(['TRAIN', 'VALIDATION', 'TEST'])).nullish(),
});
export type SplitSpec = z.infer<typeof SplitSpec>;

interface Drawn {
  /**
   * Share of the rows outside TEST that becomes VALIDATION; 0 = none, or the column or the files give it themselves.
   */
  validation: number;
  seed: number;
  stratify: boolean;
}

/** The split with every default filled in; stored with the dataset version. */
export type ResolvedSplit =
  | ({ kind: 'RANDOM'; train: number; test: number } & Drawn)
  | ({ kind: 'COLUMN'; column: string } & Drawn)
  | ({ kind: 'TEST_EVERY'; testEvery: number } & Drawn)
  | ({ kind: 'FILES'; files: Part[] } & Drawn);

const VALIDATION_SHARE = 0.15;
const TEST_SHARE = 0.15;
const TOLERANCE = 1e-6;

/** Fills in the defaults. @throws DataError BAD_SPLIT where the parts of the spec contradict each other. */
export function resolveSplit(spec: SplitSpec, fileCount: number): ResolvedSplit {
  const drawn = { seed: spec.seed ?? 0, stratify: spec.stratify ?? true };
  const ways = (['column', 'testEvery', 'files'] as const).filter((key) => spec[key] != null);
  const [way, second] = ways;
  if (way === undefined) return { kind: 'RANDOM', ...shares(spec), ...drawn };
  if (second !== undefined) throw bad(second, `${way} and ${second} both divide the rows; give one of them`);
  for (const share of ['train', 'test'] as const)
    if (spec[share] != null) throw bad(share, `${way} already says which rows are TEST; leave out ${share}`);
  const given = spec.files?.includes('VALIDATION') === true;
  if (given && spec.validation != null) throw givenAndDrawn();
  const validation = given ? 0 : (spec.validation ?? VALIDATION_SHARE);
  if (validation >= 1) throw bad('validation', 'expected a share below 1: no row would be left to train on');
  if (spec.column != null) return { kind: 'COLUMN', column: spec.column, validation, ...drawn };
  if (spec.testEvery != null) return { kind: 'TEST_EVERY', testEvery: spec.testEvery, validation, ...drawn };
  return { kind: 'FILES', files: partPerFile(spec.files ?? [], fileCount), validation, ...drawn };
}

/** The refusal where VALIDATION rows are both named by a column or file and to be drawn. */
export function givenAndDrawn(): DataError {
  return bad('validation', 'the column or the files already say which rows are VALIDATION; leave out validation');
}

function partPerFile(files: Part[], fileCount: number): Part[] {
  if (files.length !== fileCount)
    throw bad('files', `expected one part per file (${fileCount}), found ${files.length}`);
  for (const part of ['TRAIN', 'TEST'] as const)
    if (!files.includes(part)) throw bad('files', `no file is ${part}; expected at least one TRAIN and one TEST file`);
  return files;
}

function shares(spec: SplitSpec): { train: number; validation: number; test: number } {
  let { train, validation, test } = spec;
  if (train == null) {
    validation ??= VALIDATION_SHARE;
    test ??= TEST_SHARE;
    train = 1 - validation - test;
  } else if (validation == null && test == null) validation = test = (1 - train) / 2;
  else {
    validation ??= 1 - train - (test ?? 0);
    test ??= 1 - train - validation;
  }
  if (Math.abs(train + validation + test - 1) > TOLERANCE || validation < -TOLERANCE)
    throw bad('train', `train, validation and test must add up to 1, found ${train} + ${validation} + ${test}`);
  if (train <= TOLERANCE) throw bad('train', 'expected a share above 0: no row would be left to train on');
  if (test <= TOLERANCE) throw bad('test', 'expected a share above 0: a version is measured on its TEST rows');
  return { train, validation: Math.max(0, validation), test };
}

function bad(key: keyof SplitSpec, message: string): DataError {
  return new DataError('BAD_SPLIT', `split.${key}: ${message}`, { field: ['split', key] });
}
