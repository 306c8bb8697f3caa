/** A search: one question answered by many runs, its trials. From the input to the trials' complete specs. Pure. */
import type { Objective, RunSpec } from '@anneal/trainer/contract';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { rungsOf } from './asha.ts';
import { completeSpec, type SpecData, SpecInput } from './run-spec.ts';
import { checkPaths, drawParams, gridOf, type Params, SearchParameter, withParams } from './search-space.ts';

/** More are a mistake sooner than a plan; searches of several thousand can be asked one after the other. */
export const MAX_TRIALS = 1000;

/** What createExperiment may say of a search. */
export const SearchInput = z.object({
  method: z.enum(['GRID', 'RANDOM', 'ASHA']),
  trials: z.int().min(1).max(MAX_TRIALS).nullish(),
  seed: z.int().min(0).nullish(),
  parameters: z.array(SearchParameter).min(1).max(20),
  reductionFactor: z.int().min(2).max(16).nullish(),
  minEpochs: z.int().min(1).max(100_000).nullish(),
});
export type SearchInput = z.output<typeof SearchInput>;

/** A search as an experiment keeps it: complete. */
export const StoredSearch = z.object({
  method: SearchInput.shape.method,
  trials: z.number(),
  seed: z.number(),
  parameters: z.array(z.record(z.string(), z.json())),
  /** Of ASHA; null without it. */
  halving: z.object({ reductionFactor: z.number(), rungs: z.array(z.number()) }).nullable(),
});
export type StoredSearch = z.output<typeof StoredSearch>;

/** One run of a search. */
export interface Trial {
  /** From 1. */
  number: number;
  params: Params;
  spec: RunSpec;
}

/** Of ASHA: each rung keeps about one trial in so many. */
const REDUCTION_FACTOR = 3;
/** Of ASHA, when minEpochs is omitted: as many rungs as make a score of a first rung mean something. */
const RUNGS = 3;

/** Every trial with its complete spec. @throws UserError naming the parameter, or the trial, that does not fit */
export function planSearch(
  data: SpecData,
  input: SpecInput,
  search: SearchInput,
): { search: StoredSearch; trials: Trial[] } {
  checkMethod(search);
  checkPaths(search.parameters);
  if (data.validationRows === 0)
    throw new UserError(
      'NO_VALIDATION_ROWS',
      'A search compares its trials on VALIDATION rows, and this version has none: commit one with another split.',
      ['search'],
    );
  const seed = search.seed ?? 0;
  const drawn = drawAll(search, seed);
  const trials = drawn.map((params, i) => ({ number: i + 1, params, spec: specOf(data, input, params, i) }));
  const maxEpochs = trials[0]?.spec.budget.maxEpochs ?? 1;
  const { method } = search;
  const halving = method === 'ASHA' ? halvingOf(search, maxEpochs) : null;
  const parameters = search.parameters.map(withoutNulls);
  return { search: { method, trials: trials.length, seed, parameters, halving }, trials };
}

/** Epochs at which trials of this experiment are compared; none for other searches and without a search. */
export function rungsOfSearch(stored: unknown): number[] {
  return StoredSearch.nullable().parse(stored)?.halving?.rungs ?? [];
}

/** Which of two values of an objective is the better one. */
export function higherIsBetter(objective: Objective): boolean {
  return objective === 'ACCURACY' || objective === 'F1_MACRO';
}

function withoutNulls(parameter: SearchParameter): StoredSearch['parameters'][number] {
  return Object.fromEntries(Object.entries(parameter).flatMap(([key, value]) => (value == null ? [] : [[key, value]])));
}

function checkMethod({ method, trials, reductionFactor, minEpochs, parameters }: SearchInput): void {
  const refuse = (field: string, message: string) => {
    throw new UserError('INVALID_INPUT', message, ['search', field]);
  };
  if (method === 'GRID' && trials != null) refuse('trials', 'A GRID tries every combination: leave trials out.');
  if (method !== 'GRID' && trials == null) refuse('trials', `${method} needs trials: how many to draw.`);
  if (method !== 'ASHA' && reductionFactor != null) refuse('reductionFactor', 'reductionFactor belongs to ASHA.');
  if (method !== 'ASHA' && minEpochs != null) refuse('minEpochs', 'minEpochs belongs to ASHA.');
  if (method === 'ASHA' && parameters.some(({ name }) => name.split('.')[0] === 'budget'))
    refuse('parameters', 'ASHA gives out the budget itself: its trials are compared after equally many epochs.');
}

function drawAll({ method, parameters, trials }: SearchInput, seed: number): Params[] {
  if (method === 'GRID') return gridOf(parameters, MAX_TRIALS);
  const random = seededRandom(seed);
  return Array.from({ length: trials ?? 0 }, () => drawParams(parameters, random));
}

/** Trial n trains with the experiment's seed + n - 1, unless the search sets seeds itself. */
function specOf(data: SpecData, input: SpecInput, params: Params, index: number): RunSpec {
  const own = { ...input, seed: (input.seed ?? 0) + index };
  const trial = `Trial ${index + 1} (${Object.entries(params)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(', ')})`;
  const parsed = SpecInput.safeParse(withParams(own, params));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError('INVALID_INPUT', `${trial}: ${issue?.path.join('.')}: ${issue?.message}`, [
      'search',
      'parameters',
    ]);
  }
  try {
    return completeSpec(data, parsed.data);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const searched = Object.keys(params).some((name) => error.field?.[0] === name.split('.')[0]);
    throw new UserError(
      error.code,
      `${trial}: ${error.message}`,
      searched ? ['search', 'parameters'] : (error.field ?? []),
    );
  }
}

function halvingOf({ reductionFactor, minEpochs }: SearchInput, maxEpochs: number) {
  const factor = reductionFactor ?? REDUCTION_FACTOR;
  const first = minEpochs ?? Math.max(1, Math.round(maxEpochs / factor ** RUNGS));
  const rungs = rungsOf({ minEpochs: first, maxEpochs, reductionFactor: factor });
  if (rungs.length > 0) return { reductionFactor: factor, rungs };
  throw new UserError(
    'INVALID_INPUT',
    `ASHA compares trials before they end: minEpochs (${first}) must be below budget.maxEpochs (${maxEpochs}).`,
    ['search', 'minEpochs'],
  );
}
