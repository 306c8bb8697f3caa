/**
 * The Open Inference Protocol v2 over REST against the edge in workerd, case by case from the protocol's text:
 * kserve/open-inference-protocol, specification/protocol/inference_rest.md (platforms: kserve's required_api.md).
 * Each suite is a section's title. Tensor data and the extensions have files of their own.
 */
import { describe, expect, test } from 'vitest';
import { MAX_INSTANCES, type PredictResponse } from '../../apps/edge/src/contract.ts';
import { answered, get, infer, numbers, post, ROW, refused, stand, texts, useStand } from './oip-stand.ts';

useStand();

describe('Health/Readiness/Liveness Probes', () => {
  test('Server Live and Server Ready can be used directly as probes: no key, 200', async () => {
    const live = await get('/v2/health/live', {});
    expect([live.status, await live.json()]).toEqual([200, { live: true }]);
    const ready = await get('/v2/health/ready', {});
    expect([ready.status, await ready.json()]).toEqual([200, { live: true, ready: true }]);
  });

  test('Model Ready answers name and readiness, with and without a version', async () => {
    for (const path of ['/v2/models/versions/ready', '/v2/models/versions/versions/2/ready']) {
      const response = await get(path);
      expect([response.status, await response.json()]).toEqual([200, { name: 'versions', ready: true }]);
    }
  });

  test('Model Ready refuses what is not there, and strangers', async () => {
    await refused(get('/v2/models/absent/ready'), 404);
    await refused(get('/v2/models/gone/ready'), 404);
    await refused(get('/v2/models/titanic/versions/9/ready'), 404);
    await refused(get('/v2/models/titanic/ready', {}), 401);
  });
});

describe('Server Metadata', () => {
  test('name, version and extensions; it names no tenant, so it needs no key', async () => {
    for (const path of ['/v2', '/v2/']) {
      const response = await get(path, {});
      expect(await response.json()).toEqual({
        name: 'anneal',
        version: expect.stringMatching(/^[0-9a-f]{12}$/),
        extensions: ['binary_tensor_data', 'classification', 'statistics'],
      });
    }
  });
});

describe('Model Metadata', () => {
  const metadata = async (path: string) => (await get(path)).json();

  test('a model of columns takes an input per used column', async () => {
    expect(await metadata('/v2/models/titanic')).toEqual({
      name: 'titanic',
      versions: ['1'],
      platform: 'onnx_onnxv1',
      inputs: [
        { name: 'age', datatype: 'FP64', shape: [-1, 1] },
        { name: 'sex', datatype: 'BYTES', shape: [-1, 1] },
      ],
      outputs: [
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
        { name: 'label', datatype: 'BYTES', shape: [-1] },
      ],
    });
    expect(await metadata('/v2/models/fares')).toMatchObject({
      outputs: [{ name: 'value', datatype: 'FP32', shape: [-1] }],
    });
  });

  test('a model of tensors is described as it is; variable sizes are -1', async () => {
    expect(await metadata('/v2/models/mymodel')).toMatchObject({
      inputs: [
        { name: 'input0', datatype: 'UINT32', shape: [2, 2] },
        { name: 'input1', datatype: 'BOOL', shape: [3] },
      ],
      outputs: [{ name: 'output0', datatype: 'FP32', shape: [3, 2] }],
    });
    expect(await metadata('/v2/models/root')).toMatchObject({ inputs: [{ shape: [-1] }] });
  });

  test('columns that are arrays: tensors have their shape, tokens any length', async () => {
    expect(await metadata('/v2/models/arrays')).toMatchObject({
      inputs: [
        { name: 'pixels', datatype: 'FP32', shape: [-1, 2, 2] },
        { name: 'words', datatype: 'INT64', shape: [-1, -1] },
      ],
    });
  });

  test('versions that may be requested', async () => {
    expect(await metadata('/v2/models/versions')).toMatchObject({ versions: ['1', '2'] });
    expect(await metadata('/v2/models/versions/versions/2')).toMatchObject({ name: 'versions' });
    await refused(get('/v2/models/versions/versions/3'), 404);
    await refused(get('/v2/models/versions/versions/latest'), 404);
  });

  test('Error Object: unknown models, names of another case, no key, a foreign key', async () => {
    await refused(get('/v2/models/absent'), 404);
    await refused(get('/v2/models/Titanic'), 404);
    await refused(get('/v2/models/titanic', {}), 401);
    await refused(get('/v2/models/titanic', { authorization: 'Bearer foreign-key-0123456789' }), 401);
    await refused(post('/v2/models/titanic', ''), 405);
    await refused(get('/v2/nowhere'), 404);
  });
});

describe('Inference Request JSON Object', () => {
  test('the version may be in the path; else the weights choose', async () => {
    const labelOf = async (path: string) => {
      const body = await answered(
        post(path, JSON.stringify({ inputs: [numbers('age', [30]), texts('sex', ['female'])] })),
      );
      return [body.model_version, body.outputs[1]?.data];
    };
    expect(await labelOf('/v2/models/versions/versions/1/infer')).toEqual(['1', ['no']]);
    expect(await labelOf('/v2/models/versions/versions/2/infer')).toEqual(['2', ['yes']]);
    expect(['1', '2']).toContain((await labelOf('/v2/models/versions/infer'))[0]);
    await refused(post('/v2/models/versions/versions/3/infer', JSON.stringify({ inputs: ROW })), 404);
  });

  test('answers as the plain form does for the same rows', async () => {
    const rows = [
      { age: 30, sex: 'male' },
      { age: 47.5, sex: 'female' },
      { age: null, sex: null },
      { age: 1, sex: 'unheard of' },
    ];
    const plain: PredictResponse = await (await stand.predict('titanic', { instances: rows })).json();
    const inputs = [numbers('age', [30, 47.5, null, 1]), texts('sex', ['male', 'female', '', 'unheard of'])];
    const { outputs } = await answered(infer('titanic', { inputs }));
    const said = plain.predictions.map((p) => ('label' in p ? p : undefined));
    expect(outputs).toEqual([
      {
        name: 'probabilities',
        shape: [4, 2],
        datatype: 'FP32',
        data: said.flatMap((p) => [p?.probabilities.no, p?.probabilities.yes]).map((p) => expect.closeTo(p ?? -1, 7)),
      },
      { name: 'label', shape: [4], datatype: 'BYTES', data: said.map((p) => p?.label) },
    ]);
  });

  test('a regression answers values', async () => {
    const { outputs } = await answered(
      infer('fares', { inputs: [numbers('age', [40, 30]), texts('sex', ['male', 'female'])] }),
    );
    expect(outputs).toEqual([{ name: 'value', shape: [2], datatype: 'FP32', data: [9, 8] }]);
  });

  test('"inputs" are required, each once, each known, with name, shape, datatype and data', async () => {
    const twice = [...ROW, numbers('age', [1], [1, 1])];
    const bodies: [unknown, RegExp][] = [
      [{}, /inputs/],
      [{ inputs: [] }, /inputs/],
      [{ inputs: [{ ...ROW[0], name: undefined }] }, /inputs\[0\]\.name/],
      [{ inputs: [{ ...ROW[0], shape: [-1] }] }, /inputs\[0\]\.shape\[0\]/],
      [{ inputs: [{ ...ROW[0], shape: [1.5] }] }, /inputs\[0\]\.shape\[0\]/],
      [{ inputs: [{ ...ROW[0], datatype: 'fp64' }] }, /inputs\[0\]\.datatype/],
      [{ inputs: [{ ...ROW[0], data: undefined }] }, /inputs\[0\].*data/],
      [{ inputs: [{ ...ROW[0], data: 30 }] }, /inputs\[0\]\.data/],
      [{ inputs: twice }, /"age" is named twice/],
      [{ inputs: [ROW[0]] }, /input "sex" is absent/],
      [{ inputs: [...ROW, numbers('agee', [1], [1, 1])] }, /no input is named "agee"; did you mean "age"/],
      ['{"inputs":[', /JSON/],
      ['[]', /the request/],
    ];
    for (const [body, message] of bodies) expect(await refused(infer('titanic', body))).toMatch(message);
  });

  test('Request Input: "shape and data must represent the full shape and contents of the entire batch"', async () => {
    const one = (age: unknown, sex: unknown) => refused(infer('titanic', { inputs: [age, sex] }));
    expect(await one(numbers('age', [1, 2]), texts('sex', ['male']))).toContain('batch of 2');
    expect(await one(numbers('age', [1, 2], [1, 2]), texts('sex', ['male']))).toContain('shape [-1,1] or [-1]');
    expect(await one(numbers('age', [1], [2, 1]), texts('sex', ['male']))).toContain('expected 2 elements');
    expect(await one(numbers('age', []), texts('sex', []))).toContain(`1 to ${MAX_INSTANCES}`);
    const many = new Array(MAX_INSTANCES + 1).fill(1);
    expect(await one(numbers('age', many), texts('sex', many.map(String)))).toContain(`1 to ${MAX_INSTANCES}`);
    expect(await refused(infer('mymodel', { inputs: [numbers('input0', [1], [1])] }))).toContain('datatype UINT32');
    const input1 = { name: 'input1', shape: [3], datatype: 'BOOL', data: [true, true, true] };
    const flat = { name: 'input0', shape: [4], datatype: 'UINT32', data: [1, 2, 3, 4] };
    expect(await refused(infer('mymodel', { inputs: [flat, input1] }))).toContain('shape [2,2], got [4]');
  });

  test('sizes that only the model can compare are the client’s mistake too', async () => {
    const matrix = (name: string, shape: number[]) => ({ name, shape, datatype: 'FP32', data: [1, 2, 3, 4, 5, 6] });
    const message = await refused(infer('sum', { inputs: [matrix('a', [2, 3]), matrix('b', [3, 2])] }), 422);
    expect(message).toContain('the model refuses these inputs');
  });

  test('columns judge elements: 422 with the instance', async () => {
    const message = await refused(
      infer('titanic', { inputs: [texts('age', ['30', 'old']), texts('sex', ['', ''])] }),
      422,
    );
    expect(message).toContain('instances[1].age');
  });

  test('columns take every datatype that means something to them; unused columns may come too', async () => {
    const age = { name: 'age', shape: [1], datatype: 'INT16', data: [30] };
    const other = texts('ticket number', ['A/5 21171']);
    const { outputs } = await answered(infer('titanic', { inputs: [age, texts('sex', ['male']), other] }));
    expect(outputs[1]?.data).toEqual(['yes']);
  });

  test('columns that are arrays: sequences end at the first of the -1 behind them', async () => {
    const pixels = (shape: number[]) => ({ name: 'pixels', shape, datatype: 'FP32', data: [1, 2, 3, 4, 5, 6, 7, 8] });
    const words = (data: number[][], datatype = 'INT64') => ({ name: 'words', shape: [2, 3], datatype, data });
    const ids = [
      [5, 9, -1],
      [7, 7, 7],
    ];
    for (const datatype of ['INT64', 'INT32', 'INT8']) {
      const { outputs } = await answered(infer('arrays', { inputs: [pixels([2, 2, 2]), words(ids, datatype)] }));
      expect(outputs[0]?.data).toEqual([210, 326]);
    }
    const one = (shape: number[], of: number[][], status: number) =>
      refused(infer('arrays', { inputs: [pixels(shape), words(of)] }), status);
    expect(await one([2, 4], ids, 400)).toContain('expected the shape [-1,2,2], got [2,4]');
    expect(
      await one(
        [2, 2, 2],
        [
          [-1, 1, 1],
          [7, 7, 7],
        ],
        422,
      ),
    ).toContain('instances[0].words');
    expect(
      await one(
        [2, 2, 2],
        [
          [-1, -1, -1],
          [7, 7, 7],
        ],
        422,
      ),
    ).toContain('instances[0].words');
  });

  test('a key of the endpoint’s project is needed', async () => {
    const body = JSON.stringify({ inputs: ROW });
    await refused(stand.request('/v2/models/titanic/infer', { method: 'POST', body }), 401);
    await refused(post('/v2/models/titanic/infer', body, { authorization: 'Bearer foreign-key-0123456789' }), 401);
    await refused(post('/v2/models/absent/infer', body), 404);
    await refused(post('/v2/models/gone/infer', body), 404);
    await refused(get('/v2/models/titanic/infer'), 405);
  });

  test('the content type does not matter; a coded body is refused', async () => {
    const body = JSON.stringify({ inputs: ROW });
    for (const type of ['application/octet-stream', 'text/plain', 'application/x-www-form-urlencoded'])
      expect((await post('/v2/models/titanic/infer', body, { 'content-type': type })).status).toBe(200);
    expect((await post('/v2/models/titanic/infer', body)).status).toBe(200); // none
    await refused(post('/v2/models/titanic/infer', body, { 'content-encoding': 'gzip' }), 415);
  });
});

describe('Request Output', () => {
  test('only the requested outputs, in the order of the request', async () => {
    const names = async (outputs?: unknown) =>
      (await answered(infer('titanic', { inputs: ROW, outputs }))).outputs.map(({ name }) => name);
    expect(await names([{ name: 'label' }])).toEqual(['label']);
    expect(await names([{ name: 'label' }, { name: 'probabilities' }])).toEqual(['label', 'probabilities']);
    expect(await names()).toEqual(['probabilities', 'label']);
    expect(await names([])).toEqual(['probabilities', 'label']);
  });

  test('unknown ones are refused', async () => {
    const outputs = [{ name: 'labels' }];
    expect(await refused(infer('titanic', { inputs: ROW, outputs }))).toContain('did you mean "label"');
  });
});

describe('Inference Response JSON Object', () => {
  test('model_name, model_version, outputs; "id" must be returned if it is given', async () => {
    const body = await answered(infer('titanic', { id: 'ü-42', inputs: ROW }));
    expect(body).toMatchObject({ model_name: 'titanic', model_version: '1', id: 'ü-42' });
    expect(await answered(infer('titanic', { inputs: ROW }))).not.toHaveProperty('id');
  });

  test('Parameters: ours say which predictions these are; unknown ones are no error', async () => {
    const parameters = { text: 'x', number: 1, large: 1e300, flag: true, priority: 0 };
    const body = await answered(infer('titanic', { parameters, inputs: [{ ...ROW[0], parameters }, ROW[1]] }));
    expect(body.parameters).toEqual({ anneal_prediction_id: expect.stringContaining('.'), anneal_revision: 7 });
    expect(await refused(infer('titanic', { parameters: { deep: {} }, inputs: ROW }))).toContain('parameters.deep');
  });

  test('Parameters: requests of one route key stay on one version', async () => {
    const versionOf = async (anneal_route_key: string) =>
      (await answered(infer('versions', { parameters: { anneal_route_key }, inputs: ROW }))).model_version;
    expect(new Set(await Promise.all([1, 2, 3, 4].map(() => versionOf('user-1')))).size).toBe(1);
  });

  test('each request that reached a version is one event, a failed one too', async () => {
    const events = () => stand.api.events.filter(({ endpoint }) => endpoint === 'fares');
    const before = events().length;
    const good = await answered(infer('fares', { inputs: ROW }));
    await refused(infer('fares', { inputs: [texts('age', ['old']), texts('sex', [''])] }), 422);
    await refused(infer('fares', { inputs: [] }));
    await stand.api.until(() => events().some(({ status }) => status === 'ERROR'));
    await stand.api.until(() => events().some(({ id }) => good.parameters.anneal_prediction_id.startsWith(id)));
    expect(events().length).toBeGreaterThan(before);
    expect(events().find(({ status }) => status === 'ERROR')).toMatchObject({
      errorCode: 'INVALID_VALUE',
      instances: 1,
    });
    expect(events().some(({ errorCode }) => errorCode === 'INVALID_REQUEST')).toBe(false);
  });
});

describe('Inference Request Examples', () => {
  const example = (input1: boolean[]) => ({
    id: '42',
    inputs: [
      { name: 'input0', shape: [2, 2], datatype: 'UINT32', data: [1, 2, 3, 4] },
      { name: 'input1', shape: [3], datatype: 'BOOL', data: input1 },
    ],
    outputs: [{ name: 'output0' }],
  });

  test('the example is answered as printed', async () => {
    const response = await infer('mymodel', example([true, true, true]));
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({
      id: '42',
      outputs: [{ name: 'output0', shape: [3, 2], datatype: 'FP32', data: [1.0, 1.1, 2.0, 2.1, 3.0, 3.1] }],
    });
  });

  test('its data of one BOOL for a shape of [3] is a slip of the text, which contradicts "Request Input"', async () => {
    expect(await refused(infer('mymodel', example([true])))).toContain('expected 3 elements for the shape [3], got 1');
  });
});
