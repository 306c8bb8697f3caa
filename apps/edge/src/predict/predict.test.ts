import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { binaryManifest, regressionManifest } from '../../test/manifests.ts';
import { binaryModel, regressionModel } from '../../test/models.ts';
import { columnInputs, type Manifest } from '../contract.ts';
import type { OrtSession, Outputs } from '../engine/index.ts';
import { nodeRuntime } from '../engine/node.ts';
import { type Instance, PredictError, parseInstances, predict, toPredictions } from './index.ts';
import { levenshtein, nearestName } from './nearest.ts';

const model = binaryModel();
const manifest = binaryManifest(model);

function refusal(instances: Instance[], of: Manifest = manifest): PredictError {
  try {
    parseInstances(of, instances);
  } catch (error) {
    if (error instanceof PredictError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
const numbers = (values: unknown[], of: Manifest = manifest) =>
  Array.from(
    parseInstances(
      of,
      values.map((age) => ({ age, sex: null })),
    ).age?.data ?? [],
    Number,
  );
const texts = (values: unknown[], of: Manifest = manifest) =>
  Array.from(
    parseInstances(
      of,
      values.map((sex) => ({ age: null, sex })),
    ).sex?.data ?? [],
    String,
  );

describe('columns', () => {
  test('unused columns and the target are accepted and not looked at', () => {
    const feeds = parseInstances(manifest, [{ age: 1, sex: 'male', 'ticket number': {}, survived: 'yes' }]);
    expect(Object.keys(feeds)).toEqual(['age', 'sex']);
  });

  test('an unknown name is refused with the nearest one', () => {
    const error = refusal([
      { age: 1, sex: 'male' },
      { agee: 1, sex: 'male' },
    ]);
    expect(error).toMatchObject({ code: 'UNKNOWN_COLUMN', status: 422, field: 'instances[1].agee' });
    expect(error.message).toBe('instances[1].agee: no column is named "agee"; the nearest name is "age"');
  });

  test('a used column that is absent is refused', () => {
    expect(refusal([{ age: 1 }])).toMatchObject({ code: 'MISSING_COLUMN', field: 'instances[0].sex' });
  });

  test('names of Object.prototype are columns like others', () => {
    expect(refusal([{ age: 1, sex: 'male', constructor: 1 }]).code).toBe('UNKNOWN_COLUMN');
    const odd = binaryManifest(model, {
      columns: manifest.columns.map((c) => (c.name === 'sex' ? { ...c, name: 'constructor' } : c)),
      inputs: columnInputs(manifest).map((i) => (i.column === 'sex' ? { ...i, column: 'constructor' } : i)),
    });
    expect(refusal([{ age: 1 }], odd)).toMatchObject({ code: 'MISSING_COLUMN', field: 'instances[0].constructor' });
  });

  test('columns side by side in one input are read as each in its own', () => {
    const kinds = { age: 'NUMERIC', sex: 'CATEGORICAL', fare: 'NUMERIC', port: 'CATEGORICAL' } as const;
    const columns = Object.entries(kinds).map(([name, kind]) => ({ name, kind, used: true }));
    const narrow = binaryManifest(model, {
      columns,
      inputs: columns.map(({ name, kind }) => ({ name, column: name, type: kind === 'NUMERIC' ? 'double' : 'string' })),
    });
    const wide = binaryManifest(model, {
      columns,
      inputs: [
        { name: 'texts', columns: ['port', 'sex'], type: 'string' },
        { name: 'numbers', columns: ['age', 'fare'], type: 'double' },
      ],
    });
    const cell = fc.oneof(fc.double(), fc.string(), fc.constant(null), fc.boolean());
    const row = fc.record({ age: cell, sex: cell, fare: cell, port: cell, survived: cell }, { requiredKeys: [] });
    const number = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }));
    const good = fc.record({ age: number, sex: fc.option(fc.string()), fare: number, port: fc.option(fc.string()) });
    const read = (of: Manifest, rows: Instance[]) => {
      try {
        const feeds = parseInstances(of, rows);
        const numbers = feeds.numbers?.data ?? rows.flatMap((_, i) => [feeds.age?.data[i], feeds.fare?.data[i]]);
        const texts = feeds.texts?.data ?? rows.flatMap((_, i) => [feeds.port?.data[i], feeds.sex?.data[i]]);
        return { numbers: Array.from(numbers, Number), texts: Array.from(texts, String) };
      } catch (error) {
        return error instanceof PredictError ? error.code : error;
      }
    };
    const some = { minLength: 1, maxLength: 4 };
    fc.assert(
      fc.property(fc.array(good, some), (rows) => {
        expect(read(wide, rows)).toHaveProperty('numbers.length', 2 * rows.length);
        expect(read(wide, rows)).toEqual(read(narrow, rows));
      }),
    );
    // Which of several faults is named depends on the order of the inputs.
    fc.assert(fc.property(fc.array(row, some), (rows) => typeof read(wide, rows) === typeof read(narrow, rows)));
    const feeds = parseInstances(wide, [
      { age: 1, sex: 'm', fare: null, port: 'S' },
      { age: 2, sex: 'f', fare: 7, port: '?' },
    ]);
    expect(feeds).toEqual({
      texts: { type: 'string', dims: [2, 2], data: ['S', 'm', '', 'f'] },
      numbers: { type: 'float64', dims: [2, 2], data: Float64Array.of(1, Number.NaN, 2, 7) },
    });
  });

  test('a wrong name is told before what else is wrong', () => {
    const { code, field } = refusal([{ age: 'old', sexx: 'male' }]);
    expect({ code, field }).toEqual({ code: 'UNKNOWN_COLUMN', field: 'instances[0].sexx' });
  });

  test('a name that is no identifier is quoted in the path', () => {
    expect(refusal([{ 'sepal length': 1 }]).field).toBe('instances[0]["sepal length"]');
  });

  test('a manifest that contradicts itself is not the client’s fault', () => {
    const wrong = { ...manifest, inputs: manifest.inputs.slice(0, 1) };
    expect(() => parseInstances(wrong, [{ age: 1, sex: 'x' }])).toThrow('manifest: column "sex" is used');
  });
});

/** -0 is written "0". */
const positiveZero = (value: number) => value + 0;

describe('numbers', () => {
  test('are numbers and decimal texts; null, undefined, "" and the missing texts are missing', () => {
    expect(numbers([1.5, ' -2 ', '+3.', '.5e1', null, undefined, '', ' ? ', 'NA'])).toEqual([
      1.5,
      -2,
      3,
      5,
      NaN,
      NaN,
      NaN,
      NaN,
      NaN,
    ]);
  });

  test.each([['abc'], ['0x10'], ['Infinity'], ['1e999'], ['1,5'], [true], [[1]], [{}], [NaN], [Infinity], ['NaN']])(
    '%j is refused',
    (value) => {
      const error = refusal([
        { age: 1, sex: null },
        { age: value, sex: null },
      ]);
      expect(error).toMatchObject({ code: 'INVALID_VALUE', field: 'instances[1].age' });
      expect(error.message).toContain('instances[1].age: expected a finite number, its text, or null, got ');
    },
  );

  test('renames come before all else, for the number as for its text', () => {
    const renamed = binaryManifest(model, {
      missingValues: ['-1'],
      columns: manifest.columns.map((c) =>
        c.name === 'age'
          ? {
              ...c,
              values: [
                { from: '-999', to: '' },
                { from: 'old', to: '90' },
                { from: '?', to: '0' },
              ],
            }
          : c,
      ),
    });
    expect(numbers(['-999', -999, -999.0, ' old ', '?', -1, '-1', 5], renamed)).toEqual([
      NaN,
      NaN,
      NaN,
      90,
      0,
      NaN,
      NaN,
      5,
    ]);
  });

  test('any finite number and its text read the same', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }).map(positiveZero), (value) => {
        expect(numbers([value])).toEqual(numbers([` ${value} `]));
      }),
    );
  });
});

describe('texts', () => {
  const coded = binaryManifest(model, {
    columns: manifest.columns.map((c) =>
      c.name === 'sex'
        ? {
            ...c,
            categories: ['1', '2.50', 'True', 'f'],
            values: [
              { from: '0', to: 'f' },
              { from: 'FALSE', to: 'f' },
            ],
          }
        : c,
    ),
  });

  test('are trimmed; null, undefined and the missing texts are missing; unknown ones pass', () => {
    expect(texts([' male ', null, undefined, '', '?', 'NA ', 'other'])).toEqual(['male', '', '', '', '', '', 'other']);
  });

  test('a JSON number means the category of equal value, else its text', () => {
    expect(texts([1, 1.0, 2.5, 0, 7, '1.0'], coded)).toEqual(['1', '1', '2.50', 'f', '7', '1.0']);
  });

  test('a boolean means the category of its text in any case', () => {
    expect(texts([true, false], coded)).toEqual(['True', 'f']);
    expect(texts([true])).toEqual(['true']);
  });

  test('a text with NUL is not cut to another category', () => {
    expect(texts(['male\0x'])).toEqual(['male\ufffdx']);
  });

  test.each([[{}], [[]], [NaN]])('%j is refused', (value) => {
    expect(refusal([{ age: 1, sex: value }])).toMatchObject({ code: 'INVALID_VALUE', field: 'instances[0].sex' });
  });

  test('whatever JSON comes, it is read or refused with a field', () => {
    const row = fc.record({ age: fc.jsonValue(), sex: fc.jsonValue() }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
        try {
          const feeds = parseInstances(manifest, rows);
          expect(feeds.age?.dims).toEqual([rows.length, 1]);
          expect(feeds.sex?.data).toHaveLength(rows.length);
        } catch (error) {
          expect(error).toBeInstanceOf(PredictError);
          expect(error).toHaveProperty('field', expect.stringMatching(/^instances\[\d\]\.(age|sex)$/));
        }
      }),
    );
  });
});

describe('predictions', () => {
  let session: OrtSession;
  beforeAll(async () => {
    session = (await nodeRuntime()).createSession(model);
  });
  const probabilities = (rows: number[][]): Outputs => ({
    probabilities: { type: 'float32', dims: [rows.length, rows[0]?.length ?? 0], data: Float32Array.from(rows.flat()) },
  });

  test('of a binary model: label by the threshold of the manifest, score of the label', () => {
    const [young, old] = predict(session, manifest, [
      { age: 30, sex: 'female' },
      { age: 30, sex: 'male' },
    ]);
    const p = 1 / (1 + Math.exp(2));
    expect(young).toMatchObject({ label: 'no', score: expect.closeTo(1 - p, 5) });
    expect(old).toMatchObject({ label: 'yes', score: expect.closeTo(1 - p, 5) });
    const strict = { ...manifest, threshold: 0.95 };
    expect(predict(session, strict, [{ age: 30, sex: 'male' }])).toMatchObject([
      {
        label: 'no',
        score: expect.closeTo(p, 5),
        probabilities: { no: expect.closeTo(p, 5), yes: expect.any(Number) },
      },
    ]);
  });

  test('at the threshold the label is the positive class, wherever it stands', () => {
    expect(toPredictions(manifest, probabilities([[0.5, 0.5]]))).toMatchObject([{ label: 'yes', score: 0.5 }]);
    const first = { ...manifest, positiveClass: 'no' };
    expect(toPredictions(first, probabilities([[0.5, 0.5]]))).toMatchObject([{ label: 'no' }]);
    expect(toPredictions(first, probabilities([[0.25, 0.75]]))).toMatchObject([{ label: 'yes', score: 0.75 }]);
  });

  test('of many classes: the first of the largest', () => {
    const many = { ...manifest, classes: ['a', 'b', '__proto__'], positiveClass: null, threshold: null };
    const [tie, last] = toPredictions(
      many,
      probabilities([
        [0.25, 0.375, 0.375],
        [0, 0, 1],
      ]),
    );
    expect(tie).toMatchObject({ label: 'b', score: 0.375 });
    expect(JSON.stringify(last)).toBe('{"label":"__proto__","score":1,"probabilities":{"a":0,"b":0,"__proto__":1}}');
  });

  test('of a regression: values', async () => {
    const bytes = regressionModel();
    const regression = (await nodeRuntime()).createSession(bytes);
    const rows = [
      { age: 40, sex: 'male' },
      { age: null, sex: null },
    ];
    expect(predict(regression, regressionManifest(bytes), rows)).toEqual([{ value: 9 }, { value: 7 }]);
  });

  test('an answer that is not finite is an error of that instance', () => {
    expect(() =>
      toPredictions(
        manifest,
        probabilities([
          [0, 1],
          [0.5, NaN],
        ]),
      ),
    ).toThrow(expect.objectContaining({ code: 'NOT_FINITE', field: 'instances[1]' }));
  });

  test('a batch answers as its rows do one by one', () => {
    const rows = fc.array(
      fc.record({
        age: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
        sex: fc.option(fc.constantFrom('male', 'female', 'x')),
      }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(rows, (rows) => {
        expect(predict(session, manifest, rows)).toEqual(rows.flatMap((row) => predict(session, manifest, [row])));
      }),
      { numRuns: 30 },
    );
  });
});

test('levenshtein counts edits, and is a distance', () => {
  expect(levenshtein('kitten', 'sitting')).toBe(3);
  expect(nearestName('sepal_lenght', ['petal_length', 'sepal_length', 'sepal_width'])).toBe('sepal_length');
  expect(nearestName('x'.repeat(1_000_000), ['x'])).toBeUndefined();
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(levenshtein(a, b)).toBe(levenshtein(b, a));
      expect(levenshtein(a, a)).toBe(0);
      expect(levenshtein(a, c)).toBeLessThanOrEqual(levenshtein(a, b) + levenshtein(b, c));
    }),
  );
});
