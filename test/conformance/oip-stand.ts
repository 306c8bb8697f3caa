/** Endpoints of the conformance suites on a real edge, and how they ask. */
import { afterAll, beforeAll, expect } from 'vitest';
import { Datatype } from '../../apps/edge/src/contract.ts';
import { binaryManifest, regressionManifest, routeOf } from '../../apps/edge/test/manifests.ts';
import { binaryModel, regressionModel } from '../../apps/edge/test/models.ts';
import { CLIENT_KEY, KEYS, type Stand, startStand } from '../../apps/edge/test/stand.ts';
import {
  arraysModel,
  classifierModel,
  exampleModel,
  identityModel,
  rootModel,
  sumModel,
  type TensorModel,
} from '../../apps/edge/test/tensor-models.ts';

type Manifests = Parameters<typeof routeOf>[2];

/** Started before a suite's tests, stopped after them. */
export let stand: Stand;

/** The endpoints that all suites ask; route revision 7. */
export function useStand(): void {
  beforeAll(async () => {
    stand = await startStand();
    const [binary, second, regression] = [binaryModel(0), binaryModel(9), regressionModel()];
    for (const model of [binary, second, regression]) await stand.pushArtifact(model);
    await deploy('titanic', [[binaryManifest(binary), 1]]);
    const both: Manifests = [
      [binaryManifest(binary), 0.999],
      [binaryManifest(second), 0.001],
    ];
    await deploy('versions', both);
    await deploy('fares', [[regressionManifest(regression), 1]]);
    await deploy('gone', []);
    for (const [endpoint, { bytes, manifest }] of [['arrays', arraysModel()] as const, ...tensorModels()]) {
      await stand.pushArtifact(bytes);
      await deploy(endpoint, [[manifest, 1]]);
    }
  });
  afterAll(() => stand.close());
}

function tensorModels(): [endpoint: string, TensorModel][] {
  return [
    ['mymodel', exampleModel()],
    ['classifier', classifierModel()],
    ['labelled', classifierModel(['index_0_label', 'index_1_label', 'index_2_label', 'index_3_label'])],
    ['root', rootModel()],
    ['sum', sumModel()],
    ...Datatype.options.map((type): [string, TensorModel] => [`echo-${type.toLowerCase()}`, identityModel(type)]),
  ];
}

/** Pushes a route of revision 7. */
export async function deploy(endpoint: string, variants: Manifests): Promise<void> {
  const pushed = await stand.pushRoute(routeOf(endpoint, 7, variants, KEYS));
  expect(await pushed.json(), endpoint).toEqual({ revision: 7 });
}

const authorization = `Bearer ${CLIENT_KEY}`;
/** GET with the key, or with other headers. */
export const get = (path: string, headers: Record<string, string> = { authorization }) =>
  stand.request(path, { headers });
/** POST with the key. */
export const post = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  stand.request(path, { method: 'POST', headers: { authorization, ...headers }, body: Buffer.from(body) });
/** An inference request of JSON. */
export const infer = (model: string, body: unknown) =>
  post(`/v2/models/${model}/infer`, typeof body === 'string' ? body : JSON.stringify(body), {
    'content-type': 'application/json',
  });

/** $response_output */
export interface Output {
  name: string;
  shape: number[];
  datatype: string;
  parameters?: { binary_data_size: number };
  data?: unknown[];
}
/** An inference response. */
export interface Inferred {
  model_name: string;
  model_version: string;
  id?: string;
  parameters: { anneal_prediction_id: string; anneal_revision: number };
  outputs: Output[];
}
/** The body of a 200. */
export async function answered(response: Promise<Response>): Promise<Inferred> {
  const got = await response;
  const body = await got.text();
  expect(got.status, body).toBe(200);
  return JSON.parse(body);
}

/** "A failed request must be indicated by an HTTP error status ... The HTTP body must contain {"error": $string}". */
export async function refused(response: Promise<Response>, status = 400): Promise<string> {
  const got = await response;
  const body: { error: unknown } = await got.json();
  expect(got.status, JSON.stringify(body)).toBe(status);
  expect(Object.keys(body)).toEqual(['error']);
  expect(body.error).toEqual(expect.any(String));
  return String(body.error);
}

/** JSON and then the tensors' bytes, as the binary data extension has it. */
export function binaryBody(
  json: unknown,
  ...tensors: ArrayBufferView[]
): { body: Buffer; headers: Record<string, string> } {
  const header = Buffer.from(JSON.stringify(json));
  const parts = tensors.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return {
    body: Buffer.concat([header, ...parts]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.byteLength),
    },
  };
}
/** The JSON and the tensors of a response in bytes. */
export async function binaryAnswer(response: Response): Promise<{ json: Inferred; tensors: Buffer[] }> {
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(response.status, bytes.toString()).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  const length = Number(response.headers.get('inference-header-content-length'));
  expect(Number(response.headers.get('content-length'))).toBe(bytes.byteLength);
  const json: Inferred = JSON.parse(bytes.subarray(0, length).toString());
  let at = length;
  const tensors = json.outputs.map(({ parameters }) => {
    const size = parameters?.binary_data_size ?? 0;
    at += size;
    return bytes.subarray(at - size, at);
  });
  expect(at).toBe(bytes.byteLength);
  return { json, tensors };
}

/** An FP64 input. */
export const numbers = (name: string, data: unknown[], shape = [data.length]) => ({
  name,
  shape,
  datatype: 'FP64',
  data,
});
/** A BYTES input. */
export const texts = (name: string, data: unknown[], shape = [data.length]) => ({
  name,
  shape,
  datatype: 'BYTES',
  data,
});
/** The inputs of one row of the model of columns. */
export const ROW = [numbers('age', [30], [1, 1]), texts('sex', ['male'], [1, 1])];
