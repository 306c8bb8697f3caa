/** Switching versions under load, over a real API and a real edge: no request is lost, answers fit their revision. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PredictResponse } from '@anneal/edge/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EdgeHost, startEdge } from '../apps/edge/src/host/edge.ts';
import { floats, model, node, onnx, value } from '../apps/edge/test/models.ts';
import { startTestApi, type TestApi } from './testkit/api.ts';
import { type Answered, quantile, startLoad } from './testkit/load.ts';
import { type SeededVersion, seedVersion } from './testkit/seed.ts';

const SWITCHES = 200;
const CONNECTIONS = 8;
const PHASE_MS = 6_000;
const { FLOAT, DOUBLE, INT } = { ...onnx.TensorProto.DataType, INT: onnx.AttributeProto.AttributeType.INT };

/** Classes a and b: always the one of `bias`'s sign; different bias, different bytes. */
function versionModel(bias: number): Uint8Array {
  const axis = { name: 'axis', type: INT, i: 1 };
  return model({
    input: [value('x', DOUBLE, ['N', 1])],
    output: [value('probabilities', FLOAT, ['N', 2])],
    node: [
      node('Cast', ['x'], ['x_'], [{ name: 'to', type: INT, i: FLOAT }]),
      node('Gemm', ['x_', 'w', 'b'], ['z']),
      node('Sigmoid', ['z'], ['p']),
      node('Sub', ['one', 'p'], ['q']),
      node('Concat', ['q', 'p'], ['probabilities'], [axis]),
    ],
    initializer: [floats('w', [1, 1], [0]), floats('b', [1], [bias]), floats('one', [], [1])],
  });
}

let api: TestApi;
let edge: EdgeHost;
let versions: [SeededVersion, SeededVersion];
const data = mkdtempSync(path.join(tmpdir(), 'anneal-switching-'));
const target = { url: 'http://127.0.0.1:1', adminSecret: 'secret of the switching test' };
beforeAll(async () => {
  api = await startTestApi({ edge: target });
  const secrets = { edgeKey: api.keys.edge, adminSecret: target.adminSecret };
  edge = await startEdge({ apiUrl: api.url, ...secrets, host: '127.0.0.1', port: 0, data, onLog: () => {} });
  target.url = edge.url;
  const rows = { classes: ['a', 'b'], truth: [0], probabilities: [[1, 0]] };
  const seeded = (bias: number) =>
    seedVersion(api.deps, { projectId: api.projectId, rows, artifact: versionModel(bias) });
  versions = [await seeded(-1), await seeded(1)];
});
afterAll(async () => {
  await edge?.stop();
  await api?.close();
  rmSync(data, { recursive: true, force: true });
});

/** Revision r serves version 1 when r is odd, version 2 when it is even. */
async function deploy(revision: number): Promise<void> {
  const mutation = `mutation ($input: DeployInput!) { deploy(input: $input) {
    endpoint { revision } userErrors { code message } } }`;
  const modelVersionId = versions[revision % 2 === 1 ? 0 : 1].id;
  const { data, errors } = await api.execute(mutation, { input: { endpoint: 'both', variants: [{ modelVersionId }] } });
  expect(errors).toBeUndefined();
  expect(data.deploy).toEqual({ endpoint: { revision }, userErrors: [] });
}
const load = () =>
  startLoad({
    url: `${edge.url}/v1/endpoints/both/predict`,
    headers: { authorization: `Bearer ${api.keys.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ instances: [{ x: 1 }] }),
    connections: CONNECTIONS,
  });

/** Every request was answered by the version of its revision, and no connection went back to an older one. */
function judge(answers: Answered[][]): void {
  expect(answers.flat().filter(({ status }) => status !== 200)).toEqual([]);
  for (const connection of answers) {
    const parsed = connection.map(({ body }) => PredictResponse.parse(JSON.parse(body)));
    const wrong = parsed.filter(
      ({ revision, version, predictions: [prediction] }) =>
        version !== (revision % 2 === 1 ? 1 : 2) ||
        !(prediction && 'label' in prediction && prediction.label === (version === 1 ? 'a' : 'b')),
    );
    expect(wrong).toEqual([]);
    expect(parsed.every(({ revision }, i) => i === 0 || revision >= (parsed[i - 1]?.revision ?? 0))).toBe(true);
  }
}
const p99 = (answers: Answered[][]) =>
  quantile(
    answers.flat().map(({ milliseconds }) => milliseconds),
    0.99,
  );

describe('switching versions under load', () => {
  let revision = 0;
  let answered = 0;

  it(`loses no request over ${SWITCHES} switches, and every answer is of its revision`, async () => {
    await deploy(++revision);
    const running = load();
    for (let i = 0; i < SWITCHES; i++) await deploy(++revision);
    const answers = await running.stop();
    judge(answers);
    answered += answers.flat().length;
    const seen = new Set(answers.flat().map(({ body }) => PredictResponse.parse(JSON.parse(body)).revision));
    expect(seen.size).toBeGreaterThan(SWITCHES / 2); // the load was there while it switched
    console.log(`${SWITCHES} switches, ${answers.flat().length} requests, ${seen.size} revisions seen`);
  }, 180_000);

  it('once a second costs what it costs: p99 with and without', async () => {
    const quiet = load();
    await sleep(PHASE_MS);
    const without = await quiet.stop();
    const switching = load();
    for (const end = Date.now() + PHASE_MS; Date.now() < end; ) {
      const started = Date.now();
      await deploy(++revision);
      await sleep(Math.max(0, 1000 - (Date.now() - started)));
    }
    const withSwitches = await switching.stop();
    judge([...without, ...withSwitches]);
    answered += without.flat().length + withSwitches.flat().length;
    const [before, after] = [p99(without), p99(withSwitches)];
    console.log(
      `p99 ${before.toFixed(2)} ms of ${without.flat().length} requests without switching, ` +
        `${after.toFixed(2)} ms of ${withSwitches.flat().length} with one switch a second: ` +
        `${(after / before).toFixed(2)} x`,
    );
  }, 60_000);

  it('counts every one of these requests once', async () => {
    const requests = async () => {
      const { data } = await api.execute(
        '{ model(name: "iris") { versions { nodes { traffic(window: { last: "1h" }) { requests errors } } } } }',
      );
      const nodes: { traffic: { requests: string; errors: string } }[] = data.model.versions.nodes;
      return nodes.reduce((sum, { traffic }) => sum + Number(traffic.requests), 0);
    };
    await expect.poll(requests, { timeout: 60_000, interval: 500 }).toBe(answered);
  }, 90_000);
});
