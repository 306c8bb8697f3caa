import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binaryManifest, regressionManifest, routeOf } from './manifests.ts';
import { binaryModel, regressionModel } from './models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from './stand.ts';
import { arraysModel, exampleModel } from './tensor-models.ts';

const [binary, regression, arrays, tensors] = [binaryModel(), regressionModel(), arraysModel(), exampleModel()];
const authorization = `Bearer ${CLIENT_KEY}`;

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  for (const bytes of [binary, regression, arrays.bytes, tensors.bytes]) await stand.pushArtifact(bytes);
  await stand.pushRoute(routeOf('titanic', 1, [[binaryManifest(binary), 1]], KEYS));
  await stand.pushRoute(routeOf('fares', 1, [[regressionManifest(regression), 1]], KEYS));
  await stand.pushRoute(routeOf('arrays', 1, [[arrays.manifest, 1]], KEYS));
  await stand.pushRoute(routeOf('tensors', 1, [[tensors.manifest, 1]], KEYS));
  await stand.pushRoute(routeOf('gone', 1, [], KEYS));
});
afterAll(() => stand.close());

const invoke = (endpoint: string, body: unknown, headers: Record<string, string> = { authorization }) =>
  stand.request(`/v1/endpoints/${endpoint}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const predictions = async (endpoint: string, body: unknown) => {
  const answer: { predictions: unknown } = await (await invoke(endpoint, body)).json();
  return answer.predictions;
};

describe('POST .../invocations', () => {
  const columns = ['sex', 'age'];
  const data = [
    ['male', 30],
    ['female', null],
  ];
  const records = [
    { sex: 'male', age: 30 },
    { sex: 'female', age: null },
  ];

  test.each<[string, unknown]>([
    ['dataframe_split', { dataframe_split: { columns, data, index: [0, 1] } }],
    ['dataframe_records', { dataframe_records: records }],
    ['instances of objects', { instances: records }],
    ['instances of arrays, in order of the used columns', { instances: data.map((row) => row.toReversed()) }],
    ['inputs by column', { inputs: { age: [30, null], sex: ['male', 'female'] }, params: { any: 1 } }],
    ['inputs of arrays', { inputs: data.map((row) => row.toReversed()) }],
    ['inputs of objects', { inputs: records }],
  ])('%s: labels in order', async (_, body) => {
    expect(await predictions('titanic', body)).toEqual(['yes', 'no']);
  });

  test('values of a regression, with version and prediction id beside them', async () => {
    const response = await invoke('fares', { instances: [{ age: 40, sex: 'male' }] });
    expect(await response.json()).toEqual({
      predictions: [9],
      model: 'titanic',
      version: 1,
      prediction_id: expect.stringMatching(/^[0-9a-f-]{36}\./),
    });
  });

  test('arrays within rows', async () => {
    const words = [1, 2];
    expect(await predictions('arrays', { inputs: { pixels: [[1, 2, 3, 4]], words: [words] } })).toEqual([210]);
    expect(
      await predictions('arrays', {
        instances: [
          [
            [
              [1, 2],
              [3, 4],
            ],
            words,
          ],
        ],
      }),
    ).toEqual([210]);
  });

  test.each<[string, string, unknown, number, RegExp]>([
    ['none of the forms', 'titanic', {}, 400, /exactly one of/],
    ['two forms', 'titanic', { instances: records, inputs: records }, 400, /exactly one of/],
    ['an unknown form', 'titanic', { data: records }, 400, /data/],
    ['no rows', 'titanic', { dataframe_records: [] }, 400, /Too small/],
    [
      'a short row',
      'titanic',
      { dataframe_split: { columns, data: [['male']] } },
      400,
      /expected 2 values: sex,age; got 1/,
    ],
    ['a long row without names', 'titanic', { inputs: [[1, 2, 3]] }, 400, /expected 2 values: age,sex; got 3/],
    ['a bare number', 'titanic', { inputs: [1] }, 400, /expected 2 values: age,sex; got 1/],
    ['columns of two lengths', 'titanic', { inputs: { age: [1], sex: ['', ''] } }, 400, /columns of one length/],
    ['an absent column', 'titanic', { instances: [{ age: 1 }] }, 422, /instances\[0\]\.sex/],
    ['a model of tensors', 'tensors', { inputs: [[1]] }, 422, /tensors, not rows/],
    ['an endpoint without a version', 'gone', { instances: records }, 404, /no version/],
  ])('%s: refused', async (_, endpoint, body, status, message) => {
    const response = await invoke(endpoint, body);
    const { error }: { error: { message: string } } = await response.json();
    expect([response.status, error.message]).toEqual([status, expect.stringMatching(message)]);
  });

  test('strangers are refused', async () => {
    expect((await invoke('titanic', { instances: records }, {})).status).toBe(401);
  });
});

test('GET .../ping', async () => {
  const ping = async (endpoint: string, headers: Record<string, string> = { authorization }) =>
    (await stand.request(`/v1/endpoints/${endpoint}/ping`, { headers })).status;
  expect(await ping('titanic')).toBe(200);
  expect(await ping('gone')).toBe(404);
  expect(await ping('absent')).toBe(404);
  expect(await ping('titanic', {})).toBe(401);
});
