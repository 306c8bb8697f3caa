/** Published data sets through the door of this folder, thread included. */
import path from 'node:path';
import { decodeTable } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import { sharedPath } from '../../../../test/shared.ts';
import { DataError } from './error.ts';
import { type ParsedDataset, type ParseInput, parseDataset } from './parse-dataset.ts';

type Asked = Omit<ParseInput, 'files' | 'format'> & { format?: ParseInput['format'] };

function parsePublished(names: string[], asked: Asked): Promise<ParsedDataset> {
  const files = names.map((name) => ({ path: sharedPath(`data/${name}`) ?? '', filename: path.basename(name) }));
  return parseDataset({ files, format: 'CSV', ...asked });
}

const kindsOf = (dataset: ParsedDataset) => Object.fromEntries(dataset.columns.map((c) => [c.name, c.kind]));
const testEvery = { testEvery: 5 };
const present = sharedPath('data/iris/iris.csv') !== undefined;
if (!present) console.warn('the shared data sets are absent: datasets.test.ts is skipped');

describe.skipIf(!present)('data sets as published', () => {
  it('iris', async () => {
    const dataset = await parsePublished(['iris/iris.csv'], { target: 'species', split: testEvery });
    expect(dataset).toMatchObject({
      rowCount: 150,
      inferredTask: 'MULTICLASS',
      classes: ['Iris-setosa', 'Iris-versicolor', 'Iris-virginica'],
      balance: [{ count: 50 }, { count: 50 }, { count: 50 }],
      split: { counts: { TRAIN: 102, VALIDATION: 18, TEST: 30 } },
    });
    expect(kindsOf(dataset)).toMatchObject({ sepal_length: 'NUMERIC', petal_width: 'NUMERIC', species: 'CATEGORICAL' });
    expect(dataset.columns[0]?.profile).toMatchObject({ min: 4.3, max: 7.9, missing: 0 });
    expect(dataset.columns[0]?.profile.mean).toBeCloseTo(5.84333, 5);
  });

  it('breast cancer', async () => {
    const dataset = await parsePublished(['breast_cancer_wdbc/breast_cancer_wdbc.csv'], {
      target: 'LAST',
      split: testEvery,
    });
    expect(dataset).toMatchObject({
      rowCount: 569,
      inferredTask: 'BINARY',
      classes: ['B', 'M'],
      targetName: 'diagnosis',
    });
    expect(dataset.balance?.map((b) => b.count)).toEqual([357, 212]);
    expect(decodeTable(dataset.table).columns).toHaveLength(30);
  });

  it('titanic: names with commas, an identifier, free texts, missing cells', async () => {
    const dataset = await parsePublished(['titanic/titanic.csv'], { target: 'Survived', split: testEvery });
    expect(dataset).toMatchObject({ rowCount: 891, inferredTask: 'BINARY', classes: ['0', '1'] });
    expect(dataset.balance?.[1]?.count).toBe(342);
    expect(kindsOf(dataset)).toMatchObject({
      PassengerId: 'IGNORE',
      Pclass: 'NUMERIC',
      Sex: 'CATEGORICAL',
      Age: 'NUMERIC',
    });
    expect(kindsOf(dataset)).toMatchObject({ Name: 'TEXT', Ticket: 'TEXT', Cabin: 'TEXT', Embarked: 'CATEGORICAL' });
    const missing = Object.fromEntries(dataset.columns.map((c) => [c.name, c.profile.missing]));
    expect(missing).toMatchObject({ Age: 177, Cabin: 687, Embarked: 2, Fare: 0 });
    const name = decodeTable(dataset.table).columns.find((c) => c.name === 'Name');
    expect(name?.kind === 'TEXT' && name.dictionary[0]).toBe('Braund, Mr. Owen Harris');
  });

  it('wine: integer classes, numbers such as ".28"', async () => {
    const dataset = await parsePublished(['wine/wine.csv'], { target: 'cultivar', split: testEvery });
    expect(dataset).toMatchObject({ rowCount: 178, inferredTask: 'MULTICLASS', classes: ['1', '2', '3'] });
    expect(decodeTable(dataset.table).columns.map((c) => c.kind)).toEqual(Array(13).fill('NUMERIC'));
  });

  it('adult: two files, leading spaces, "?", renamed labels', async () => {
    const started = performance.now();
    const dataset = await parsePublished(['adult/adult_train.csv.gz', 'adult/adult_test.csv.gz'], {
      target: 'income',
      columns: [
        {
          name: 'income',
          values: [
            { from: '<=50K.', to: '<=50K' },
            { from: '>50K.', to: '>50K' },
          ],
        },
      ],
      split: { files: ['TRAIN', 'TEST'] },
    });
    console.log(`adult: ${((performance.now() - started) / 1000).toFixed(2)} s`);
    expect(dataset).toMatchObject({ rowCount: 48_842, classes: ['<=50K', '>50K'] });
    expect(dataset.split.counts).toEqual({ TRAIN: 27_677, VALIDATION: 4884, TEST: 16_281 });
    const kinds = decodeTable(dataset.table).columns.map((c) => c.kind);
    expect(kinds.filter((kind) => kind === 'NUMERIC')).toHaveLength(6);
    expect(kinds.filter((kind) => kind === 'CATEGORICAL')).toHaveLength(8);
    expect(dataset.columns.find((c) => c.name === 'workclass')?.profile).toMatchObject({ missing: 2799, distinct: 8 });
  });

  it('digits: 64 columns folded into images', async () => {
    const columns = [{ name: 'pixels', kind: 'TENSOR' as const, from: 'p*', shape: [1, 8, 8] }];
    const dataset = await parsePublished(['digits_8x8/optdigits.csv.gz'], {
      target: 'digit',
      split: testEvery,
      columns,
    });
    expect(dataset).toMatchObject({ rowCount: 5620, inferredTask: 'MULTICLASS', split: { counts: { TEST: 1124 } } });
    expect(dataset.columns).toMatchObject([{ name: 'pixels', profile: { min: 0, max: 16 } }, { name: 'digit' }]);
    expect(dataset.table.byteLength).toBeLessThan(5620 * 100);
  });

  it('MNIST: a pair of IDX files', async () => {
    const files = ['t10k-labels-idx1-ubyte.gz', 't10k-images-idx3-ubyte.gz'].map((name) => `mnist/${name}`);
    const dataset = await parsePublished(files, { format: 'IDX', target: 'label', split: testEvery });
    expect(dataset).toMatchObject({ rowCount: 10_000, inferredTask: 'MULTICLASS', split: { counts: { TEST: 2000 } } });
    const image = decodeTable(dataset.table).columns[0];
    if (image?.kind !== 'TENSOR') throw new Error('expected images');
    expect(image).toMatchObject({ name: 'image', shape: [1, 28, 28] });
    expect(image.values).toBeInstanceOf(Uint8Array);
    // Mean pixel of the test images as commonly published: 0.1325 of white.
    expect((dataset.columns[0]?.profile.mean ?? 0) / 255).toBeCloseTo(0.1325, 4);
  });

  it('california: a regression', async () => {
    const dataset = await parsePublished(['california_housing/california_housing.csv.gz'], {
      target: 'medianHouseValue',
      split: testEvery,
    });
    expect(dataset).toMatchObject({ rowCount: 20_640, inferredTask: 'REGRESSION', classes: null, balance: null });
    expect(dataset.split.counts.TEST).toBe(4128);
    expect(dataset.columns.at(-1)?.profile).toMatchObject({ max: 500_001 });
  });

  it('SMS spam: tabs, no header, literal quotes', async () => {
    const dataset = await parsePublished(['sms_spam/sms.tsv'], { target: 'c0', split: testEvery });
    expect(dataset).toMatchObject({ rowCount: 5574, classes: ['ham', 'spam'], inferredTask: 'BINARY' });
    expect(dataset.balance?.map((b) => b.count)).toEqual([4827, 747]);
    const texts = decodeTable(dataset.table).columns[0];
    expect(texts?.kind === 'TEXT' && texts.dictionary).toContain('"Gimme a few" was  &lt;#&gt;  minutes ago');
  });

  it('SST-2: JSON Lines in three parts', async () => {
    const names = ['train', 'dev', 'test'].map((part) => `sst2/sst2_${part}.jsonl.gz`);
    const split = { files: ['TRAIN' as const, 'VALIDATION' as const, 'TEST' as const] };
    const dataset = await parsePublished(names, { format: 'JSONL', target: 'label', split });
    expect(dataset).toMatchObject({ rowCount: 9613, classes: ['0', '1'] });
    expect(dataset.split.counts).toEqual({ TRAIN: 6920, VALIDATION: 872, TEST: 1821 });
  });
});

describe('the thread', () => {
  it('hands refusals over whole', async () => {
    const input: ParseInput = { files: [], format: 'CSV', target: 'y', split: { files: ['TRAIN'] } };
    const refused = await parseDataset(input).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DataError);
    expect(refused).toMatchObject({ code: 'BAD_SPLIT', field: ['split', 'files'] });
  });

  it('rejects with other errors as they are', async () => {
    const files = [{ path: path.join(import.meta.dirname, 'absent'), filename: 'absent' }];
    await expect(parseDataset({ files, format: 'CSV', target: 'y' })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
