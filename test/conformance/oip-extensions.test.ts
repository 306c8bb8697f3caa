/**
 * The extensions of the Open Inference Protocol v2 that /v2 names, case by case from their documents
 * (triton-inference-server/server, docs/protocol/extension_{binary_data,classification,statistics}.md), and models of
 * plain tensors, which the documents' examples speak of.
 */
import { describe, expect, test } from 'vitest';
import { binaryManifest, routeOf, sha256 } from '../../apps/edge/test/manifests.ts';
import { binaryModel } from '../../apps/edge/test/models.ts';
import { KEYS } from '../../apps/edge/test/stand.ts';
import { exampleModel, type TensorModel } from '../../apps/edge/test/tensor-models.ts';
import {
  answered,
  binaryAnswer,
  binaryBody,
  deploy,
  get,
  infer,
  numbers,
  post,
  ROW,
  refused,
  stand,
  texts,
  useStand,
} from './oip-stand.ts';

useStand();

describe('Binary Tensor Data Extension', () => {
  const request = {
    model_name: 'mymodel',
    inputs: [
      { name: 'input0', shape: [2, 2], datatype: 'UINT32', parameters: { binary_data_size: 16 } },
      { name: 'input1', shape: [3], datatype: 'BOOL', parameters: { binary_data_size: 3 } },
    ],
    outputs: [{ name: 'output0', parameters: { binary_data: true } }],
  };
  const tensors = [Uint32Array.of(1, 2, 3, 4), Uint8Array.of(1, 1, 1)];
  const send = ({ body, headers }: ReturnType<typeof binaryBody>) => post('/v2/models/mymodel/infer', body, headers);

  test('the example is answered as printed: 19 bytes in, 24 bytes out', async () => {
    const { json, tensors: outputs } = await binaryAnswer(await send(binaryBody(request, ...tensors)));
    expect(json.outputs).toEqual([
      { name: 'output0', shape: [3, 2], datatype: 'FP32', parameters: { binary_data_size: 24 } },
    ]);
    expect(outputs[0]).toEqual(Buffer.from(Float32Array.of(1, 1.1, 2, 2.1, 3, 3.1).buffer));
  });

  test('"binary_data" on an output overrides "binary_data_output"', async () => {
    const parameters = { binary_data_output: true };
    const body = {
      inputs: ROW,
      parameters,
      outputs: [{ name: 'probabilities' }, { name: 'label', parameters: { binary_data: false } }],
    };
    const { json, tensors: bytes } = await binaryAnswer(await infer('titanic', body));
    expect(json.outputs[0]?.parameters).toEqual({ binary_data_size: 8 });
    expect(json.outputs[1]).toMatchObject({ data: ['yes'] });
    expect(bytes[0]?.readFloatLE(4)).toBeCloseTo(0.8808, 4);
  });

  test('binary and JSON inputs mix; BYTES have lengths of four bytes; NaN is a missing number', async () => {
    const inputs = [
      { name: 'age', shape: [2], datatype: 'FP64', parameters: { binary_data_size: 16 } },
      { name: 'sex', shape: [2], datatype: 'BYTES', parameters: { binary_data_size: 8 } },
      texts('ticket number', ['a', 'b']),
    ];
    const sexes = Buffer.from([4, 0, 0, 0, ...Buffer.from('male')]);
    const short = binaryBody({ inputs }, Float64Array.of(30, Number.NaN), sexes);
    expect(await refused(post('/v2/models/titanic/infer', short.body, short.headers))).toContain(
      'expected 2 elements of BYTES',
    );
    const both = [{ ...inputs[1], parameters: { binary_data_size: 12 } }, inputs[0], inputs[2]];
    const whole = binaryBody(
      { inputs: both },
      Buffer.concat([sexes, Buffer.alloc(4)]),
      Float64Array.of(30, Number.NaN),
    );
    const { outputs } = await answered(post('/v2/models/titanic/infer', whole.body, whole.headers));
    expect(outputs[0]?.data).toEqual([expect.closeTo(0.1192, 4), expect.closeTo(0.8808, 4), 0.5, 0.5]);
  });

  test('lengths that do not add up are refused', async () => {
    const [input0, input1] = tensors;
    if (!input0 || !input1) throw new Error('no tensors');
    expect(await refused(send(binaryBody(request, input0)))).toContain('expected 3 bytes');
    expect(await refused(send(binaryBody(request, input0, input1, input1)))).toContain('expected 19 bytes');
    const wide = { ...request, inputs: [{ ...request.inputs[0], shape: [2, 3] }, request.inputs[1]] };
    expect(await refused(send(binaryBody(wide, ...tensors)))).toContain('expected 24 bytes for UINT32 of shape [2,3]');
    const both = { ...request, inputs: [{ ...request.inputs[0], data: [1, 2, 3, 4] }, request.inputs[1]] };
    expect(await refused(send(binaryBody(both, ...tensors)))).toContain('either data or parameters.binary_data_size');
    expect(await refused(send(binaryBody(request, input0, Uint8Array.of(1, 2, 1))))).toContain('0 or 1, got 2');
    for (const length of ['99999', '-1', 'x', '']) {
      const { body, headers } = binaryBody(request, ...tensors);
      const message = await refused(send({ body, headers: { ...headers, 'inference-header-content-length': length } }));
      expect(message).toMatch(/Inference-Header-Content-Length|JSON/);
    }
  });

  test('what tritonclient sends: no content type, all outputs as bytes', async () => {
    const json = { inputs: request.inputs, parameters: { binary_data_output: true } };
    const { body, headers } = binaryBody(json, ...tensors);
    delete headers['content-type'];
    expect((await binaryAnswer(await send({ body, headers }))).tensors[0]).toHaveLength(24);
  });
});

describe('Classification Extension', () => {
  const example = {
    id: '42',
    inputs: [{ name: 'input0', shape: [2, 2], datatype: 'UINT32', data: [1, 2, 3, 4] }],
    outputs: [{ name: 'output0', parameters: { classification: 2 } }],
  };

  test('the examples are answered as printed, the datatype by its name in the text: BYTES', async () => {
    const plain = { name: 'output0', shape: [2], datatype: 'BYTES', data: ['3.3:1', '2.4:3'] };
    expect(await answered(infer('classifier', example))).toMatchObject({ id: '42', outputs: [plain] });
    const labelled = { ...plain, data: ['3.3:1:index_1_label', '2.4:3:index_3_label'] };
    expect(await answered(infer('labelled', example))).toMatchObject({ id: '42', outputs: [labelled] });
  });

  test('"shape [ batch-size, <count> ]", labels are the classes of the version', async () => {
    const inputs = [numbers('age', [30, 30]), texts('sex', ['male', 'female'])];
    const outputs = [{ name: 'probabilities', parameters: { classification: 1 } }];
    const body = await answered(infer('titanic', { inputs, outputs }));
    expect(body.outputs).toEqual([
      {
        name: 'probabilities',
        shape: [2, 1],
        datatype: 'BYTES',
        data: [expect.stringMatching(/^0\.8807\d+:1:yes$/), expect.stringMatching(/^0\.8807\d+:0:no$/)],
      },
    ]);
  });

  test('also as bytes', async () => {
    const outputs = [{ name: 'output0', parameters: { classification: 1, binary_data: true } }];
    const { tensors } = await binaryAnswer(await infer('classifier', { ...example, outputs }));
    expect(tensors[0]?.subarray(4).toString()).toBe('3.3:1');
  });

  test('more classes than there are, none, and outputs of texts are refused', async () => {
    const ask = (name: string, classification: unknown) => ({
      inputs: ROW,
      outputs: [{ name, parameters: { classification } }],
    });
    expect(await refused(infer('titanic', ask('probabilities', 3)))).toContain('1 to 2');
    expect(await refused(infer('titanic', ask('probabilities', 0)))).toContain('classification');
    expect(await refused(infer('titanic', ask('label', 1)))).toContain('no numbers');
  });
});

describe('Statistics Extension', () => {
  test('counts of requests, inferences and durations per version', async () => {
    const stats = async (path: string) => (await get(path)).json();
    const zero = { count: 0, ns: 0 };
    await deploy('counted', [[binaryManifest(binaryModel(0)), 1]]);
    const untouched = await stats('/v2/models/counted/stats');
    expect(untouched).toMatchObject({ model_stats: [{ inference_count: 0, inference_stats: { success: zero } }] });
    const inputs = [numbers('age', [1, 2, 3]), texts('sex', ['', '', ''])];
    for (const body of [{ inputs }, { inputs }, { inputs: ROW }]) await answered(infer('counted', body));
    await refused(infer('counted', { inputs: [ROW[0]] }));
    const some = (count: number) => ({ count, ns: expect.any(Number) });
    const computed = (count: number) => ({
      ...{ compute_input: some(count), compute_infer: some(count), compute_output: some(count) },
    });
    const expected = {
      model_stats: [
        {
          name: 'counted',
          version: '1',
          last_inference: expect.any(Number),
          inference_count: 7,
          execution_count: 3,
          inference_stats: { success: some(3), fail: some(1), queue: some(3), ...computed(3), cache_hit: zero },
          batch_stats: [
            { batch_size: 1, ...computed(1) },
            { batch_size: 3, ...computed(2) },
          ],
        },
      ],
    };
    expect(await stats('/v2/models/counted/stats')).toEqual(expected);
    expect(await stats('/v2/models/counted/versions/1/stats')).toEqual(expected);
  });

  test('of models that this key may call only', async () => {
    await refused(get('/v2/models/titanic/stats', {}), 401);
    await refused(get('/v2/models/titanic/versions/2/stats'), 404);
    await refused(get('/v2/models/stats'), 404); // all models: a key is known by its endpoint alone
  });
});

test('a model of tensors has no rows for the plain form', async () => {
  const response = await stand.predict('mymodel', { instances: [{ input0: 1 }] });
  expect([response.status, await response.json()]).toMatchObject([422, { error: { code: 'NO_COLUMNS' } }]);
});

test('artifacts that are not what their manifest of tensors says are refused before anybody meets them', async () => {
  const { bytes, manifest } = exampleModel();
  const wrong: [TensorModel['manifest'], string][] = [
    [
      { ...manifest, outputs: [{ name: 'output0', datatype: 'FP64', shape: [3, 2] }] },
      'is float64, the model has float32',
    ],
    [{ ...manifest, inputs: manifest.inputs.slice(1) }, 'the model reads "input0"'],
    [{ ...manifest, artifact: { digest: sha256('absent'), byteLength: 6 } }, 'is not here'],
  ];
  await stand.pushArtifact(bytes);
  for (const [changed, message] of wrong) {
    const response = await stand.pushRoute(routeOf('wrong', 1, [[changed, 1]], KEYS));
    expect(JSON.stringify(await response.json())).toContain(JSON.stringify(message).slice(1, -1));
  }
});
