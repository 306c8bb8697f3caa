/** What an endpoint takes and what it may cost, and that no body, however strange, is answered by a fault. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointSettings, type ErrorBody, type Route } from '../src/contract.ts';
import { binaryManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel, slowModel, wideModel } from './models.ts';
import { CLIENT_KEY, type Stand, startStand } from './stand.ts';
import { exampleModel, sumModel } from './tensor-models.ts';

const model = binaryModel();
const slow = slowModel(3); // 2 ms a row, or less
const KEYS: Route['keys'] = [{ sha256: sha256(CLIENT_KEY), scopes: ['admin'] }];
const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ age: i % 80, sex: 'male' }));

let stand: Stand;
async function push(endpoint: string, bytes: Uint8Array, limits: object): Promise<void> {
  const settings = EndpointSettings.parse({ limits });
  const route = routeOf(endpoint, 1, [[binaryManifest(bytes), 1]], KEYS, { settings });
  expect((await stand.pushRoute(route)).status).toBe(200);
}
beforeAll(async () => {
  stand = await startStand();
  await stand.pushArtifact(model);
  await stand.pushArtifact(slow);
  await push('plain', model, {});
  await push('small', model, { instances: 3, bodyBytes: 500, textLength: 20 });
  await push('quick', slow, { computeMs: 20 });
  await push('patient', slow, {});
});
afterAll(() => stand.close());

const post = (path: string, body: unknown) =>
  stand.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const errorOf = async (response: Response): Promise<ErrorBody['error'] & { status: number }> => {
  const body: ErrorBody = await response.json();
  return { status: response.status, ...body.error };
};
const tensors = (ages: number[], sex = 'male') => ({
  inputs: [
    { name: 'age', shape: [ages.length], datatype: 'FP64', data: ages },
    { name: 'sex', shape: [ages.length], datatype: 'BYTES', data: ages.map(() => sex) },
  ],
});
const columns = (count: number) => ({ inputs: { age: new Array(count).fill(1), sex: new Array(count).fill('male') } });

describe('limits of an endpoint', () => {
  test('instances, in every form', async () => {
    expect((await stand.predict('small', { instances: rows(3) })).status).toBe(200);
    const refused = { status: 422, code: 'TOO_MANY_INSTANCES', field: 'instances' };
    expect(await errorOf(await stand.predict('small', { instances: rows(4) }))).toMatchObject(refused);
    expect(await errorOf(await post('/v1/endpoints/small/invocations', columns(4)))).toMatchObject(refused);
    const infer = await post('/v2/models/small/infer', tensors([1, 2, 3, 4]));
    expect(infer.status).toBe(422);
    expect(await infer.json()).toEqual({ error: expect.stringContaining('at most 3 instances') });
  });

  test('instances of tensors, where the first dimension is a batch', async () => {
    const [batched, fixed] = [sumModel(), exampleModel()];
    for (const [endpoint, { bytes, manifest }] of Object.entries({ batched, fixed })) {
      await stand.pushArtifact(bytes);
      const settings = EndpointSettings.parse({ limits: { instances: 1 } });
      expect((await stand.pushRoute(routeOf(endpoint, 1, [[manifest, 1]], KEYS, { settings }))).status).toBe(200);
    }
    const sum = (rows: number) => {
      const tensor = { shape: [rows, 1], datatype: 'FP32', data: new Array(rows).fill(1) };
      return post('/v2/models/batched/infer', { inputs: ['a', 'b'].map((name) => ({ name, ...tensor })) });
    };
    expect([(await sum(1)).status, (await sum(2)).status]).toEqual([200, 422]);
    const inputs = [
      { name: 'input0', shape: [2, 2], datatype: 'UINT32', data: [1, 2, 3, 4] },
      { name: 'input1', shape: [3], datatype: 'BOOL', data: [true, true, true] },
    ];
    expect((await post('/v2/models/fixed/infer', { inputs })).status).toBe(200);
  });

  test('bytes of a body, in every form', async () => {
    const padding = ' '.repeat(500);
    for (const end of ['predict', 'invocations', 'feedback']) {
      const response = await post(`/v1/endpoints/small/${end}`, `{${padding}}`);
      expect(await errorOf(response), end).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    }
    expect((await post('/v2/models/small/infer', `{${padding}}`)).status).toBe(413);
  });

  test('characters of a text, with its place', async () => {
    const sex = 'x'.repeat(21);
    expect((await stand.predict('small', { instances: [{ age: 1, sex: 'x'.repeat(20) }] })).status).toBe(200);
    expect(await errorOf(await stand.predict('small', { instances: [...rows(1), { age: 1, sex }] }))).toMatchObject({
      status: 422,
      code: 'TEXT_TOO_LONG',
      field: 'instances[1].sex',
      message: 'instances[1].sex: expected a text of at most 20 characters, got 21',
    });
    const number = await stand.predict('small', { instances: [{ age: '0'.repeat(21), sex: null }] });
    expect(await errorOf(number)).toMatchObject({ code: 'TEXT_TOO_LONG', field: 'instances[0].age' });
    const infer = await post('/v2/models/small/infer', tensors([1], sex));
    expect(await infer.json()).toEqual({ error: expect.stringContaining('at most 20 characters') });
  });

  test('time of computing: a batch stops between its parts, and says where', async () => {
    expect((await stand.predict('quick', { instances: rows(1) })).status).toBe(200);
    const began = performance.now();
    const refused = await errorOf(await stand.predict('quick', { instances: rows(1000) }));
    const took = performance.now() - began;
    expect(refused).toMatchObject({ status: 422, code: 'COMPUTE_BUDGET' });
    expect(refused.message).toMatch(/20 ms of computing were spent before this one of 1000: send fewer/);
    const [, at] = /^instances\[(\d+)\]$/.exec(refused.field ?? '') ?? [];
    expect(Number(at)).toBeGreaterThan(0);
    const start = performance.now();
    expect((await stand.predict('patient', { instances: rows(1000) })).status).toBe(200);
    expect(took).toBeLessThan(performance.now() - start);
  });

  test('memory: a batch that does not fit is refused, smaller ones and other endpoints are served', async () => {
    const wide = wideModel(2 ** 16);
    await stand.pushArtifact(wide);
    await push('wide', wide, {});
    const refused = await stand.predict('wide', { instances: rows(1000) });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await errorOf(refused)).toEqual({
      status: 503,
      code: 'OUT_OF_MEMORY',
      message: 'this batch of this model does not fit the memory: send fewer, or try again',
    });
    expect((await stand.predict('wide', { instances: rows(10) })).status).toBe(200);
    expect((await stand.predict('plain', { instances: rows(1000) })).status).toBe(200);
    const { resets } = await (await stand.request('/healthz')).json();
    expect(resets).toBe(0);
  });

  test('a batch in parts gets the answers of a batch in one', async () => {
    await push('parted', model, { computeMs: 10_000 });
    const of = async (endpoint: string) => {
      const { predictions } = await (await stand.predict(endpoint, { instances: rows(100) })).json();
      return predictions.map(({ id: _, ...prediction }: { id: string }) => prediction);
    };
    expect(await of('parted')).toEqual(await of('plain'));
  });
});

describe('strange bodies are the client’s mistake', () => {
  const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const deepObject = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  test.each<[string, string, number]>([
    ['a deep array as a number', `{"instances":[{"age":${deep(500_000)},"sex":null}]}`, 422],
    ['a deep object as a text', `{"instances":[{"age":1,"sex":${deepObject(200_000)}}]}`, 422],
    ['a deep body', deep(1_000_000), 400],
    ['a million rows that are none', `{"instances":[${'1,'.repeat(1_000_000)}1]}`, 400],
    [
      'a row of a hundred thousand columns',
      JSON.stringify({ instances: [Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`c${i}`, i]))] }),
      422,
    ],
    ['a name of a megabyte', JSON.stringify({ instances: [{ ['x'.repeat(2 ** 20)]: 1 }] }), 422],
    ['a number beyond doubles', '{"instances":[{"age":1e999,"sex":null}]}', 422],
    ['a number of a megabyte', `{"instances":[{"age":${'9'.repeat(2 ** 20)},"sex":null}]}`, 422],
    ['a prototype', '{"instances":[{"__proto__":{"age":1,"sex":"male"}}]}', 422],
    ['a prototype of the body', '{"__proto__":{"instances":[{"age":1,"sex":"male"}]}}', 400],
    ['inherited names', '{"instances":[{"constructor":1,"toString":2,"hasOwnProperty":3}]}', 422],
    ['halves of surrogate pairs as a name', '{"instances":[{"\\ud800":1}]}', 422],
    ['text that is not UTF-8 text', '\u0000', 400],
  ])('predict: %s', async (_, body, status) => {
    const began = performance.now();
    const response = await post('/v1/endpoints/plain/predict', body);
    expect(response.status).toBe(status);
    expect((await response.text()).length).toBeLessThan(1_000);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  const input = (changes: string) => `{"inputs":[{"name":"age","shape":[1],"datatype":"FP64",${changes}}]}`;
  test.each<[string, string]>([
    ['deep data', input(`"data":${deep(500_000)}`)],
    ['deep data of a deep shape', input(`"shape":[${'1,'.repeat(15)}1],"data":${deep(500_000)}`)],
    ['a shape of too many dimensions', input(`"shape":[${'1,'.repeat(10_000)}1],"data":[1]`)],
    ['a shape whose product is no number', input('"shape":[9007199254740991,9007199254740991,0],"data":[]')],
    ['a shape beyond memory', input('"shape":[4294967296,4294967296],"data":[1]')],
    ['a deep parameter', `{"parameters":{"x":${deep(500_000)}},"inputs":[]}`],
    [
      'a hundred thousand parameters',
      JSON.stringify({
        inputs: [],
        parameters: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`p${i}`, i])),
      }),
    ],
    ['a prototype', input('"__proto__":{"data":[1]}')],
    ['a million inputs', `{"inputs":[${'{},'.repeat(1_000_000)}{}]}`],
    ['a long integer of a megabyte', input(`"data":[${'9'.repeat(2 ** 20)}]`)],
  ])('infer: %s', async (_, body) => {
    const response = await post('/v2/models/plain/infer', body);
    expect([400, 422]).toContain(response.status);
    const { error } = await response.json();
    expect(error).toEqual(expect.any(String));
    expect(error.length).toBeLessThan(1_000);
  });

  test.each<[string, string]>([
    ['deep rows', `{"instances":[${deep(500_000)}]}`],
    ['deep columns', `{"inputs":{"age":[${deep(500_000)}],"sex":[1]}}`],
    ['deep params', `{"instances":[[1,"male"]],"params":${deepObject(200_000)},"x":1}`],
    ['a prototype', '{"inputs":{"__proto__":[1],"age":[1]}}'],
    ['a split of deep names', `{"dataframe_split":{"columns":${deep(500_000)},"data":[[1]]}}`],
  ])('invocations: %s', async (_, body) => {
    const response = await post('/v1/endpoints/plain/invocations', body);
    expect([400, 422]).toContain(response.status);
    expect((await response.text()).length).toBeLessThan(1_000);
  });

  test.each<[string, string]>([
    ['deep labels', `{"id":"x","label":${deep(500_000)}}`],
    ['many that are none', `{"feedback":[${'1,'.repeat(1_000_000)}1]}`],
    ['a prototype', '{"__proto__":{"id":"x","label":"yes"}}'],
  ])('feedback: %s', async (_, body) => {
    expect((await post('/v1/endpoints/plain/feedback', body)).status).toBe(400);
  });

  test('many headers, long ones, and names of keys', async () => {
    const headers = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-header-${i}`, 'x'.repeat(40)]));
    expect((await stand.predict('plain', { instances: rows(1) }, headers)).status).toBe(200);
    const long = await stand.predict('plain', { instances: rows(1) }, { 'x-request-id': 'x'.repeat(4_000) });
    expect(long.headers.get('x-request-id')).toHaveLength(36);
    const key = { authorization: `Bearer ${'x'.repeat(4_000)}` };
    expect((await stand.predict('plain', { instances: rows(1) }, key)).status).toBe(401);
  });

  test('random changes of good bodies never cause a fault', async () => {
    let state = 12_345;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const bits = ['null', '-1', '1e400', '""', '{}', '[]', '"\\u0000"', 'true', '[[[]]]', '9007199254740993', ',', '"'];
    const good: [string, string][] = [
      ['/v1/endpoints/plain/predict', JSON.stringify({ instances: rows(2), routeKey: 'k' })],
      ['/v1/endpoints/plain/invocations', JSON.stringify(columns(2))],
      ['/v1/endpoints/plain/feedback', JSON.stringify({ feedback: [{ id: 'x', label: 'yes' }] })],
      ['/v2/models/plain/infer', JSON.stringify(tensors([1, 2]))],
    ];
    const faults: string[] = [];
    const once = async () => {
      const [path, body] = good[random(good.length)] ?? ['', ''];
      // A value of the body, or any stretch of it, gives way to a bit.
      const values = [...body.matchAll(/(?<=[:[,])(?:"[^"]*"|-?\d+)(?=[,\]}])/g)];
      const value = values[random(values.length)];
      const [at, length] = value && random(3) > 0 ? [value.index, value[0].length] : [random(body.length), random(4)];
      const changed = body.slice(0, at) + (bits[random(bits.length)] ?? '') + body.slice(at + length);
      const response = await post(path, changed);
      if (response.status >= 500) faults.push(`${path} ${changed}: ${await response.text()}`);
      else await response.arrayBuffer();
    };
    for (let round = 0; round < 75; round++) await Promise.all(Array.from({ length: 8 }, once));
    expect(faults).toEqual([]);
    const { resets } = await (await stand.request('/healthz')).json();
    expect(resets).toBe(0);
  });
});
