/** Models of others, through the public operations alone: uploaded, imported, deployed, and asked at the edge. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeModel, encodeModel } from '../apps/trainer/src/ir/index.ts';
import { numbersOf, tensorOf } from '../apps/trainer/src/ir/tensor.ts';
import type { Model, Tensor } from '../apps/trainer/src/ir/types.ts';
import { commit, createDataset, deploy, graphql, predict, type UserError, upload } from '../examples/client.ts';
import { bytesOf, callerInputs, feedsOf, names, publishedOf, tensors } from './conformance/real-models.ts';
import { load } from './conformance/runtime.ts';
import { sharedPath } from './shared.ts';
import { type Stack, startStack } from './testkit/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => await stack.stop());

interface Imported {
  run: { id: string; kind: string; status: string; error: string | null; progress: number } | null;
  modelVersion: Version | null;
  userErrors: UserError[];
}
interface Version {
  id: string;
  number: number;
  task: string | null;
  classes: string[] | null;
  manifest: { inputs: { name: string; shape: number[] }[] };
  evaluation: { n: number; accuracy: { value: number }; confusionMatrix: { labels: string[]; counts: number[][] } };
  imported: { changes: string[]; heapBytes: number; sourceOpset: number; servedOpset: number };
}
const IMPORT = `mutation ($input: ImportModelVersionInput!) { importModelVersion(input: $input) {
  run { id kind status error progress }
  modelVersion { id number task classes manifest
    evaluation { n accuracy { value } confusionMatrix { labels counts } }
    imported { changes heapBytes sourceOpset servedOpset } }
  userErrors { code field message } } }`;

/** Uploads and imports; answers the whole payload, refusals too. */
async function importing(modelName: string, bytes: Uint8Array<ArrayBuffer>, more: object = {}): Promise<Imported> {
  const uploadToken = await upload(stack.connection, `${modelName}.onnx`, bytes);
  const response = await fetch(stack.api, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${stack.connection.key}` },
    body: JSON.stringify({ query: IMPORT, variables: { input: { modelName, uploadToken, ...more } } }),
  });
  const { data, errors } = (await response.json()) as { data: { importModelVersion: Imported }; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data.importModelVersion;
}

/** The same, for what must not be refused. */
async function imported(modelName: string, bytes: Uint8Array<ArrayBuffer>, more: object = {}): Promise<Version> {
  const { run, modelVersion, userErrors } = await importing(modelName, bytes, more);
  expect(userErrors).toEqual([]);
  expect(run).toMatchObject({ kind: 'IMPORT', status: 'SUCCEEDED', error: null, progress: 1 });
  if (!modelVersion) throw new Error('no version');
  return modelVersion;
}

const DATATYPES: Record<string, string> = { FLOAT: 'FP32', INT64: 'INT64', INT32: 'INT32', STRING: 'BYTES' };
const TYPES: Record<string, Tensor['type']> = { FP32: 'FLOAT', INT64: 'INT64', INT32: 'INT32' };

/** The bytes of a tensor as the binary extension has them: before each text its length. */
function wire({ data }: Tensor): Buffer {
  if (data instanceof Uint8Array) return Buffer.from(data);
  const parts = data.flatMap((text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** Asks the edge by the Open Inference Protocol with tensors as bytes; answers the outputs by name. */
async function infer(endpoint: string, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const parts = [...feeds.values()].map(wire);
  const inputs = [...feeds].map(([name, { type, dims }], i) => ({
    ...{ name, datatype: DATATYPES[type], shape: dims },
    parameters: { binary_data_size: parts[i]?.byteLength },
  }));
  const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const response = await fetch(`${stack.edge}/v2/models/${endpoint}/infer`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.connection.key}`,
      'inference-header-content-length': String(head.byteLength),
    },
    body: Buffer.concat([head, ...parts]),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${response.status} ${new TextDecoder().decode(bytes)}`);
  let at = Number(response.headers.get('inference-header-content-length'));
  const said = JSON.parse(new TextDecoder().decode(bytes.slice(0, at))) as {
    outputs: { name: string; datatype: string; shape: number[]; parameters: { binary_data_size: number } }[];
  };
  return new Map(
    said.outputs.map(({ name, datatype, shape, parameters }) => {
      const type = TYPES[datatype];
      if (!type) throw new Error(`no ${datatype} here`);
      const data = bytes.slice(at, at + parameters.binary_data_size);
      at += parameters.binary_data_size;
      return [name, { name, type, dims: shape, data }];
    }),
  );
}

const endpointOf = (name: string) => name.toLowerCase().replaceAll('_', '-');

/** Each listed number is where it should be. */
function expectClose(tensor: Tensor | undefined, expected: readonly (readonly [index: number, value: number])[]): void {
  const numbers = tensor ? numbersOf(tensor) : [];
  expect(expected.length).toBeGreaterThan(0);
  for (const [index, value] of expected)
    expect(Math.abs((numbers[index] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-4 + 1e-4 * Math.abs(value));
}

/** x [N, width] times a matrix of ones: `width` squared floats. */
function product(width: number): Uint8Array<ArrayBuffer> {
  const type = { kind: 'TENSOR', type: 'FLOAT', shape: ['N', width] } as const;
  const w = tensorOf('w', 'FLOAT', [width, width], new Float32Array(width * width).fill(1));
  const node = { name: '', type: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() };
  const model: Model = {
    ...{ irVersion: 8, opsets: [{ domain: '', version: 17 }], producer: { name: 'test', version: '' } },
    graph: {
      ...{ name: 'product', nodes: [node], initializers: [w], sparseInitializers: [], values: [] },
      ...{ inputs: [{ name: 'x', type }], outputs: [{ name: 'y', type }] },
    },
    ...{ functions: [], metadata: new Map() },
  };
  return new Uint8Array(encodeModel(model));
}

describe('a model of another', () => {
  for (const name of names.filter((name) => !name.startsWith('bad_')))
    test(`${name} answers at the edge as published`, { timeout: 60_000 }, async () => {
      const bytes = bytesOf(name);
      const { id } = await imported(name, bytes);
      const endpoint = endpointOf(name);
      await deploy(stack.connection, endpoint, id);
      const model = decodeModel(bytes);
      const outputs = await infer(endpoint, feedsOf(name, model));
      for (const [output, value] of tensors(name, 'output', model.graph.outputs)) {
        expect(outputs.get(output)?.dims).toEqual(value.dims);
        expectClose(outputs.get(output), [...numbersOf(value).entries()]);
      }
      const published = Object.entries(publishedOf(name));
      for (const [output, { data, samples, value }] of published) {
        // A sequence of maps is no tensor: of each map the numbers are left, in the order of its keys.
        const numbers =
          data ??
          value?.flatMap((map) =>
            Object.keys(map)
              .toSorted()
              .map((key) => map[key] ?? 0),
          );
        expectClose(outputs.get(output), samples ?? [...(numbers ?? []).entries()]);
      }
      expect(outputs.size).toBe(published.length);
    });

  if (names.length > 0)
    test.each([
      ['bad_custom_op', 'CUSTOM_DOMAIN', /test\.customop/],
      ['bad_opset_314159', 'OPSET_UNSUPPORTED', /314159/],
      ['bad_no_opset', 'OPSET_UNSUPPORTED', /no opset_import/],
    ])('%s is refused: %s', async (name, code, reason) => {
      const { run, modelVersion, userErrors } = await importing(name, bytesOf(name));
      expect(modelVersion).toBeNull();
      expect(userErrors).toEqual([{ code, field: ['uploadToken'], message: expect.stringMatching(reason) }]);
      expect(run).toMatchObject({ status: 'FAILED', error: `${code}: ${userErrors[0]?.message}` });
    });

  if (names.length > 0)
    test('bad_opset6_gemm is older than the runtime, so it is converted and says so', async () => {
      const bytes = bytesOf('bad_opset6_gemm');
      const version = await imported('bad_opset6_gemm', bytes);
      expect(version.imported).toMatchObject({
        sourceOpset: 6,
        changes: expect.arrayContaining([expect.stringContaining('Gemm')]),
      });
      expect(version.imported.servedOpset).toBeGreaterThan(6);
      await deploy(stack.connection, 'opset6', version.id);
      const model = decodeModel(bytes);
      const { graph } = model;
      const [w, b] = graph.initializers.map(numbersOf); // PyTorch's Linear: x times w transposed, plus b
      const [input, output] = [callerInputs(model)[0]?.name ?? '', graph.outputs[0]?.name ?? ''];
      const [inner, outer] = [(w?.length ?? 0) / (b?.length ?? 1), b?.length ?? 0];
      const x = Array.from({ length: 4 * inner }, (_, i) => Math.sin(i));
      const said = await infer('opset6', new Map([[input, tensorOf(input, 'FLOAT', [4, inner], x)]]));
      const expected = Array.from({ length: 4 * outer }, (_, at) => {
        const [row, column] = [Math.floor(at / outer), at % outer];
        const products = Array.from(
          { length: inner },
          (_, k) => (x[row * inner + k] ?? 0) * (w?.[column * inner + k] ?? 0),
        );
        return products.reduce((sum, product) => sum + product, b?.[column] ?? 0);
      });
      expectClose(said.get(output), [...expected.entries()]);
    });

  test('of 40 MB is refused with the memory that it was measured to need', { timeout: 60_000 }, async () => {
    const { userErrors } = await importing('large', product(3200));
    expect(userErrors).toMatchObject([{ code: 'TOO_LARGE_FOR_EDGE', field: ['uploadToken'] }]);
    expect(userErrors[0]?.message).toMatch(/\d+(\.\d+)? MiB/);
  });

  test('that is no ONNX at all is refused', async () => {
    const { userErrors } = await importing('text', new TextEncoder().encode('a,b\n1,2\n'));
    expect(userErrors).toMatchObject([{ code: 'ONNX_INVALID', field: ['uploadToken'] }]);
  });

  test('is deployed beside a version of its own shape, and its run is found by its id', async () => {
    const first = await imported('ones', product(3));
    const second = await imported('ones', product(3));
    expect([first.number, second.number]).toEqual([1, 2]);
    const variants = [first, second].map(({ id }) => ({ modelVersionId: id, weight: 1 }));
    const query = `mutation ($input: DeployInput!) { deploy(input: $input) { userErrors { code message } } }`;
    await graphql(stack.connection, query, { input: { endpoint: 'ones', variants } });
    const x = tensorOf('x', 'FLOAT', [2, 3], [1, 2, 3, 4, 5, 6]);
    const y = (await infer('ones', new Map([['x', x]]))).get('y');
    expect(y && numbersOf(y)).toEqual([6, 6, 6, 15, 15, 15]);
  });

  const iris = sharedPath('data/iris/iris.csv');
  if (iris && names.length > 0)
    test('is evaluated on a dataset version by rows, as often right as the original', async () => {
      const csv = new Uint8Array(readFileSync(iris));
      const to = stack.connection;
      const datasetId = await createDataset(to, 'iris');
      const uploadTokens = [await upload(to, 'iris.csv', csv)];
      const split = { testEvery: 5 };
      const data = await commit(to, { datasetId, uploadTokens, format: 'CSV', target: 'species', split });
      // Its classes are 0, 1 and 2, and what it was trained on was not published: scaled like this it tells the three
      // apart, more or less. That their order is not the data's shows that names are compared.
      const labels = ['Iris-virginica', 'Iris-setosa', 'Iris-versicolor'];
      const [mean, scale] = [
        [5.84, 3.05],
        [0.83, 0.43],
      ] as const;
      const preprocessing = { columns: ['sepal_length', 'sepal_width'], mean, scale };
      const bytes = bytesOf('logreg_iris');
      const version = await imported('iris', bytes, { labels, preprocessing, evaluateOn: data.id });
      expect(version).toMatchObject({ task: 'MULTICLASS', classes: labels });

      const lines = new TextDecoder().decode(csv).trim().split('\n').slice(1);
      const held = lines.filter((_, i) => i % 5 === 0).map((line) => line.split(','));
      const original = await load(bytes);
      const answers: string[] = [];
      for (let i = 0; i < held.length; i += 3) {
        const rows = held
          .slice(i, i + 3)
          .flatMap(([length, width]) => [(Number(length) - mean[0]) / scale[0], (Number(width) - mean[1]) / scale[1]]);
        const x = tensorOf('float_input', 'FLOAT', [3, 2], rows);
        const label = (await original?.run(new Map([['float_input', x]]), ['label']))?.get('label');
        answers.push(...(label ? numbersOf(label) : []).map((index) => String(labels[index])));
      }
      await original?.close();
      const right = held.filter((row, i) => row[4] === answers[i]).length;
      expect(version.evaluation.n).toBe(30);
      expect(version.evaluation.accuracy.value).toBe(right / 30);
      expect(right).toBeGreaterThan(10);

      await deploy(to, 'iris-imported', version.id);
      const names = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
      const instances = held.map((row) => Object.fromEntries(names.map((name, i) => [name, Number(row[i])])));
      const { predictions } = await predict(to, 'iris-imported', instances);
      expect(predictions.map(({ label }) => label)).toEqual(answers);
    });
});
