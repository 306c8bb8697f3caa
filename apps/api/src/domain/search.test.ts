/** From a search to the specs of its trials, without a database. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import type { StoredColumn } from './dataset-columns.ts';
import type { SpecData, SpecInput } from './run-spec.ts';
import { planSearch, rungsOfSearch, SearchInput } from './search.ts';
import { drawParams, SEARCHABLE, SearchParameter } from './search-space.ts';

const profile = { count: 100, missing: 0, distinct: 10, min: null, max: null, mean: null, std: null, top: null };
const column = (name: string, role: StoredColumn['role']): StoredColumn => ({
  ...{ name, role, kind: 'NUMERIC', inferred: true, reason: null, values: [], profile },
});
const DATA: SpecData = {
  ...{ digest: 'a'.repeat(64), target: 'y', task: 'BINARY', tasks: ['BINARY'], classes: ['no', 'yes'] },
  ...{ columns: [column('x', 'FEATURE'), column('y', 'TARGET')], trainRows: 700, validationRows: 150 },
};

const plan = (search: unknown, input: SpecInput = {}, data: Partial<SpecData> = {}) =>
  planSearch({ ...DATA, ...data }, input, SearchInput.parse(search));
function refusal(search: unknown, input: SpecInput = {}, data: Partial<SpecData> = {}): string {
  try {
    plan(search, input, data);
  } catch (error) {
    if (error instanceof UserError) return `${error.code} ${error.field?.join('.')}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}
const RATE = { name: 'hyperparameters.learningRate', min: 1e-4, max: 1e-1, scale: 'LOG' };
const HIDDEN = { name: 'architecture.mlp.hidden', values: [[], [16], [32, 16]] };

describe('a grid', () => {
  it('has every combination once, each with its own seed and complete spec', () => {
    const batch = { name: 'hyperparameters.batchSize', values: [16, null] };
    const { search, trials } = plan({ method: 'GRID', parameters: [HIDDEN, batch] }, { seed: 7 });
    expect(trials.map(({ params }) => Object.values(params))).toEqual([
      ...[
        [[], 16],
        [[], null],
        [[16], 16],
        [[16], null],
        [[32, 16], 16],
        [[32, 16], null],
      ],
    ]);
    expect(trials.map(({ spec }) => [spec.architecture, spec.batchSize, spec.seed])[5]).toEqual([
      { mlp: { hidden: [32, 16] } },
      null,
      12,
    ]);
    expect(search).toEqual({ method: 'GRID', trials: 6, seed: 0, parameters: [HIDDEN, batch], halving: null });
    expect(rungsOfSearch(search)).toEqual([]);
  });

  it('is refused when it is too large or of ranges', () => {
    const thousand = Array.from({ length: 40 }, (_, i) => i + 1);
    const two = ['batchSize', 'weightDecay'].map((name) => ({ name: `hyperparameters.${name}`, values: thousand }));
    expect(refusal({ method: 'GRID', parameters: two })).toMatch(/SEARCH_TOO_LARGE search.parameters: .* 1,600 /);
    expect(refusal({ method: 'GRID', parameters: [RATE] })).toMatch(/search.parameters.0.values: A grid needs values/);
    expect(refusal({ method: 'GRID', trials: 3, parameters: [HIDDEN] })).toContain('search.trials');
  });

  it('may search whole networks, elements of lists, and seeds', () => {
    const values = [{ mlp: { hidden: [8] } }, { mlp: { hidden: [9] } }];
    const whole = plan({ method: 'GRID', parameters: [{ name: 'architecture', values }] });
    expect(whole.trials.map(({ spec }) => spec.architecture)).toEqual(values);
    const element = { name: 'architecture.mlp.hidden.1', values: [3, 5] };
    const base = { architecture: { mlp: { hidden: [8, 8] } } };
    const { trials } = plan({ method: 'GRID', parameters: [element] }, base);
    expect(trials.map(({ spec }) => spec.architecture)).toEqual([
      { mlp: { hidden: [8, 3] } },
      { mlp: { hidden: [8, 5] } },
    ]);
    expect(base.architecture.mlp.hidden).toEqual([8, 8]);
    const seeds = plan({ method: 'GRID', parameters: [{ name: 'seed', values: [5, 5] }] });
    expect(seeds.trials.map(({ spec }) => spec.seed)).toEqual([5, 5]);
  });
});

describe('a random search', () => {
  const search = { method: 'RANDOM', trials: 12, parameters: [RATE, HIDDEN] };

  it('is decided by its seed', () => {
    const params = (seed: number) => plan({ ...search, seed }).trials.map((trial) => trial.params);
    expect(params(1)).toEqual(params(1));
    expect(params(1)).not.toEqual(params(2));
    expect(plan({ ...search, trials: 5 }).trials).toEqual(plan(search).trials.slice(0, 5));
    expect(plan(search).trials.map(({ spec }) => spec.seed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('draws within its ranges, whole numbers with both ends', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(range, fc.nat(), fc.constantFrom('LINEAR', 'LOG'), fc.boolean(), (of, seed, scale, integer) => {
        const [min, max] = [Math.min(...of), Math.max(...of) + 1];
        const parameter = SearchParameter.parse({ name: 'x', min, max, scale, integer });
        const { x } = drawParams([parameter], seededRandom(seed));
        return typeof x === 'number' && x >= min && x <= max && (!integer || Number.isInteger(x));
      }),
    );
    const dice = SearchParameter.parse({ name: 'x', min: 1, max: 6, integer: true });
    const random = seededRandom(3);
    const counts = new Map<unknown, number>();
    for (let i = 0; i < 6000; i++) {
      const { x } = drawParams([dice], random);
      counts.set(x, (counts.get(x) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150); // 5 standard deviations
  });

  it('draws every factor of a LOG range equally often', () => {
    const rate = SearchParameter.parse({ ...RATE });
    const random = seededRandom(4);
    const below = Array.from({ length: 3000 }, () => Number(drawParams([rate], random)[RATE.name])).filter(
      (value) => value < 1e-3,
    );
    expect(Math.abs(below.length - 1000)).toBeLessThan(130); // a third of the decades, 5 standard deviations
  });

  it('is refused as a whole when one trial does not fit, and says which', () => {
    const negative = { name: 'hyperparameters.learningRate', values: [0.1, -1] };
    expect(refusal({ method: 'GRID', parameters: [negative] })).toMatch(
      /INVALID_INPUT search.parameters: Trial 2 \(hyperparameters.learningRate = -1\): hyperparameters.learningRate: /,
    );
    const huge = { name: 'architecture.mlp.hidden', values: [[8], [8192, 8192]] };
    expect(refusal({ method: 'GRID', parameters: [huge] })).toMatch(/^MODEL_TOO_LARGE search.parameters: Trial 2 /);
    expect(refusal({ method: 'GRID', parameters: [HIDDEN] }, { objective: 'RMSE' })).toMatch(
      /^OBJECTIVE_MISMATCH objective/,
    );
    expect(refusal({ ...search, trials: undefined })).toContain('search.trials');
    expect(refusal(search, {}, { validationRows: 0 })).toMatch(/^NO_VALIDATION_ROWS/);
  });
});

describe('the names of parameters', () => {
  const named = (name: string) => refusal({ method: 'GRID', parameters: [{ name, values: [1] }] });

  it('are the paths of the input itself', () => {
    for (const path of ['hyperparameters.learningRate', 'architecture.mlp.hidden', 'budget.maxEpochs', 'preprocessing'])
      expect(SEARCHABLE).toContain(path);
    expect(named('hyperparameters.batchSize')).toBe('accepted');
  });

  it('are corrected when they are mistyped, and refused where trials must agree', () => {
    expect(named('hyperparameters.learningrate')).toContain('did you mean "hyperparameters.learningRate"');
    expect(named('hyperparameters.lr')).toMatch(/^UNKNOWN_PARAMETER search.parameters.0.name/);
    for (const fixed of ['objective', 'task', 'target', 'engine', 'threads', 'name', '__proto__.x'])
      expect(named(fixed)).toContain('UNKNOWN_PARAMETER');
    const twice = [HIDDEN, { name: 'architecture', values: [{ mlp: { hidden: [1] } }] }];
    expect(refusal({ method: 'GRID', parameters: twice })).toContain('set the same');
  });

  it('come with values or a range', () => {
    const parse = (parameter: object) => SearchParameter.safeParse({ name: 'x', ...parameter }).success;
    expect([{ values: [1] }, { min: 1, max: 2 }, { min: 1, max: 2, scale: 'LOG' }].map(parse)).toEqual([
      true,
      true,
      true,
    ]);
    const wrong = [{}, { min: 1 }, { min: 2, max: 1 }, { values: [1], min: 0, max: 1 }, { values: [] }];
    const more = [
      { min: 0, max: 1, scale: 'LOG' },
      { min: 0.5, max: 2, integer: true },
    ];
    expect([...wrong, ...more].map(parse)).toEqual(Array.from({ length: 7 }, () => false));
  });
});

describe('successive halving', () => {
  const search = { method: 'ASHA', trials: 9, parameters: [RATE] };

  it('places its rungs below the budget', () => {
    const rungs = (more: object, maxEpochs = 81) =>
      rungsOfSearch(plan({ ...search, ...more }, { budget: { maxEpochs } }).search);
    expect(rungs({})).toEqual([3, 9, 27]);
    expect(rungs({ minEpochs: 1, reductionFactor: 4 })).toEqual([1, 4, 16, 64]);
    expect(rungs({}, 2)).toEqual([1]);
    expect(refusal({ ...search, minEpochs: 10 }, { budget: { maxEpochs: 10 } })).toContain('search.minEpochs');
    expect(refusal({ ...search, parameters: [{ name: 'budget.maxEpochs', values: [1] }] })).toContain('ASHA gives out');
    expect(refusal({ ...search, method: 'RANDOM', minEpochs: 1 })).toContain('belongs to ASHA');
  });
});
