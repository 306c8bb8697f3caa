/** Columns of arrays through the public operations, and what an experiment makes of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, mutate, upload } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const COUNT = 40;
const file = (rank: number, dims: number[], elements: Uint8Array) =>
  Uint8Array.from([0, 0, 8, rank, ...dims.flatMap((dim) => [0, 0, 0, dim]), ...elements]);
const images = file(
  3,
  [COUNT, 4, 4],
  Uint8Array.from({ length: COUNT * 16 }, (_, i) => i % 251),
);
const labels = file(
  1,
  [COUNT],
  Uint8Array.from({ length: COUNT }, (_, i) => i % 2),
);
const rows = Array.from({ length: COUNT }, (_, i) => `${i / 3},${i},1,2,3,${i % 2}`);
const CSV = ['a,p0,p1,p2,p3,label', ...rows].join('\n');
const JSONL = Array.from({ length: COUNT }, (_, i) =>
  JSON.stringify({ words: Array.from({ length: 1 + (i % 5) }, (_, t) => i + t), label: i % 2 }),
).join('\n');

async function commit(files: (string | Uint8Array<ArrayBuffer>)[], more: object) {
  const { dataset } = await mutate(api, 'createDataset', 'dataset { id }', { name: 'arrays' });
  const uploadTokens = [];
  for (const bytes of files) uploadTokens.push(await upload(api, bytes));
  const column = 'name kind role shape vocabulary maxLength profile { min max }';
  const fields = `datasetVersion { id format columns { ${column} } }`;
  return mutate(api, 'commitDatasetVersion', fields, { datasetId: dataset.id, uploadTokens, target: 'label', ...more });
}

async function featuresOf(datasetVersionId: string) {
  const { runId } = await ask(api, datasetVersionId, { architecture: { mlp: { hidden: [4] } } });
  return (await api.execute('query ($id: ID!) { run(id: $id) { spec } }', { id: runId })).data.run.spec.features;
}

describe('commitDatasetVersion', () => {
  it('takes a pair of IDX files', async () => {
    const split = { testEvery: 5 };
    const { datasetVersion, userErrors } = await commit([labels, images], { format: 'IDX', split });
    expect(userErrors).toEqual([]);
    expect(datasetVersion).toMatchObject({
      format: 'IDX',
      columns: [
        { name: 'image', kind: 'TENSOR', role: 'FEATURE', shape: [1, 4, 4], vocabulary: null, maxLength: null },
        { name: 'label', role: 'TARGET', shape: null },
      ],
    });
    expect(await featuresOf(datasetVersion.id)).toEqual([{ name: 'image', kind: 'TENSOR', shape: [1, 4, 4] }]);
    const { userErrors: refused } = await commit([images], { format: 'IDX' });
    expect(refused).toMatchObject([{ code: 'BAD_ROW', field: ['uploadTokens'] }]);
  });

  it('folds columns, and an experiment refuses what is left beside them', async () => {
    const columns = [{ name: 'pixels', kind: 'TENSOR', from: 'p*', shape: [1, 2, 2] }];
    const { datasetVersion } = await commit([CSV], { format: 'CSV', columns });
    expect(datasetVersion.columns).toMatchObject([
      { name: 'a', kind: 'NUMERIC' },
      { name: 'pixels', kind: 'TENSOR', shape: [1, 2, 2], profile: { min: 0, max: 39 } },
      { name: 'label' },
    ]);
    const input = { name: 'mixed', datasetVersionId: datasetVersion.id };
    const { userErrors } = await mutate(api, 'createExperiment', 'experiment { id }', input);
    expect(userErrors).toMatchObject([{ code: 'MIXED_FEATURES', field: ['datasetVersionId'] }]);
    expect(userErrors[0].message).toContain('"pixels" (TENSOR), "a" together');
    const alone = await commit([CSV], { format: 'CSV', columns: [...columns, { name: 'a', kind: 'IGNORE' }] });
    expect(await featuresOf(alone.datasetVersion.id)).toMatchObject([{ name: 'pixels', kind: 'TENSOR' }]);
    const wrong = await commit([CSV], { format: 'CSV', columns: [{ ...columns[0], shape: [1, 3, 3] }] });
    expect(wrong.userErrors).toMatchObject([{ code: 'BAD_COLUMNS', field: ['columns', '0', 'from'] }]);
  });

  it('takes sequences', async () => {
    const { datasetVersion } = await commit([JSONL], { format: 'JSONL' });
    expect(datasetVersion.columns).toMatchObject([{ name: 'words', kind: 'TOKENS', vocabulary: 44, maxLength: 5 }, {}]);
    const words = { name: 'words', kind: 'TOKENS', vocabulary: 44, maxLength: 5 };
    expect(await featuresOf(datasetVersion.id)).toEqual([words]);
  });
});
