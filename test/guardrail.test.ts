/**
 * Show: a champion and a worse challenger on one endpoint at 90/10. Shares and stickiness, live F1 of both, and the
 * guardrail that takes the challenger away; and how often it does that to an equal one.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeCounts, type MetricCounts } from '../apps/api/src/domain/guardrail-verdict.ts';
import { seededRandom } from '../apps/api/src/random.ts';
import { commit, createDataset, createExperiment, feedback, finished, graphql, upload } from '../examples/client.ts';
import { sharedPath } from './shared.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const REQUESTS = 10_000;
const AT_ONCE = 8;
const POSITIVE = '>50K';
const NEGATIVE = '<=50K';
const ENDPOINT = 'adult';

/** A prediction that came back. */
interface Served {
  routeKey: string;
  version: number;
  id: string;
  label: string;
  truth: string;
}

/** Rows of the test file as a client sends them, and their true labels. */
function testRows(file: string): { instance: Record<string, string>; truth: string }[] {
  const [header = '', ...lines] = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const instance = Object.fromEntries(names.slice(0, -1).map((name, i) => [name, cells[i] ?? '']));
    return { instance, truth: (cells.at(-1) ?? '').replace('.', '') };
  });
}

async function train(to: Stack['connection'], files: { train: string; test: string }): Promise<string[]> {
  const uploadTokens = [];
  for (const [name, file] of Object.entries(files))
    uploadTokens.push(await upload(to, `${name}.csv.gz`, new Uint8Array(readFileSync(file))));
  const { id: datasetVersionId } = await commit(to, {
    datasetId: await createDataset(to, 'adult'),
    uploadTokens,
    format: 'CSV',
    target: 'income',
    split: { files: ['TRAIN', 'TEST'] },
    columns: [{ name: 'income', values: [NEGATIVE, POSITIVE].map((label) => ({ from: `${label}.`, to: label })) }],
  });
  const poor = {
    architecture: { mlp: { hidden: [2] } },
    hyperparameters: { learningRate: 1e-5, batchSize: 1024 },
    budget: { maxEpochs: 1 },
  };
  const ids = [];
  for (const [name, input] of Object.entries({ champion: {}, challenger: poor })) {
    const run = await createExperiment(to, { name, modelName: 'adult', datasetVersionId, seed: 1, ...input });
    ids.push((await finished(to, run)).id);
  }
  return ids;
}

/** Of pairs with the truth: F1 of one class. */
function f1Of(label: string, served: readonly Served[]): number {
  const hits = served.filter((one) => one.truth === label && one.label === label).length;
  const told = served.filter((one) => one.label === label).length;
  const real = served.filter((one) => one.truth === label).length;
  return (2 * hits) / (told + real);
}

describe('200 guardrails over equal versions', () => {
  it('roll back at most 16, looking a hundred times each', () => {
    const metrics = { ERROR_RATE: 0.01, LATENCY: 0.05, QUALITY: 0.15 } as const;
    const names = ['ERROR_RATE', 'LATENCY', 'QUALITY'] as const;
    let rolledBack = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed);
      const counts: MetricCounts[] = names.map((metric) => ({
        metric,
        margin: 0,
        periods: [{ baseline: { n: 0, hits: 0 }, challenger: { n: 0, hits: 0 } }],
      }));
      for (let request = 1; request <= 10_000; request++) {
        const which = random.uniform() < 0.1 ? 'challenger' : 'baseline';
        for (const { metric, periods } of counts)
          for (const { [which]: arm } of periods) {
            arm.n++;
            if (random.uniform() < metrics[metric]) arm.hits++;
          }
        if (request % 100 !== 0) continue;
        const { verdict } = judgeCounts(counts, { alpha: 0.05, minSamples: 1, shadow: false });
        if (verdict === 'CONTINUE') continue;
        if (verdict === 'ROLL_BACK') rolledBack++;
        break;
      }
    }
    expect(rolledBack).toBeLessThanOrEqual(16);
  }, 120_000);
});

const files = { train: sharedPath('data/adult/adult_train.csv.gz'), test: sharedPath('data/adult/adult_test.csv.gz') };
const { train: trainFile, test: testFile } = files;
if (trainFile && testFile)
  describe('a worse challenger at 10 %', () => {
    let stack: Stack;
    let ids: string[] = [];
    const served: Served[] = [];
    const rows = testRows(testFile);
    beforeAll(async () => {
      stack = await startStack();
      ids = await train(stack.connection, { train: trainFile, test: testFile });
    }, 180_000);
    afterAll(async () => await stack?.stop());

    const ask = async (i: number): Promise<Served> => {
      const { instance, truth } = rows[i % rows.length] ?? { instance: {}, truth: '' };
      const routeKey = `user-${i}`;
      const response = await fetch(`${stack.edge}/v1/endpoints/${ENDPOINT}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${stack.keys.admin}` },
        body: JSON.stringify({ instances: [instance], routeKey }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
      const { version, predictions } = JSON.parse(text) as { version: number; predictions: Served[] };
      const [prediction] = predictions;
      if (!prediction) throw new Error(`no prediction: ${text}`);
      return { routeKey, version, id: prediction.id, label: prediction.label, truth };
    };
    const askAll = async (numbers: number[]): Promise<Served[]> => {
      const answers: Served[] = [];
      const left = numbers.entries();
      const worker = async () => {
        for (const [at, i] of left) answers[at] = await ask(i);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return answers;
    };
    const of = (version: number) => served.filter((one) => one.version === version);

    it('is deployed and watched', async () => {
      const variants = ids.map((modelVersionId, i) => ({ modelVersionId, weight: i === 0 ? 9 : 1 }));
      const deploy = 'mutation ($input: DeployInput!) { deploy(input: $input) { userErrors { code message } } }';
      await graphql(stack.connection, deploy, { input: { endpoint: ENDPOINT, variants } });
      const create = `mutation ($input: CreateGuardrailInput!) { createGuardrail(input: $input) {
        guardrail { baseline { id } } userErrors { code message } } }`;
      const metrics = [{ metric: 'QUALITY' }, { metric: 'ERROR_RATE' }];
      const input = { endpoint: ENDPOINT, challenger: ids[1], metrics, act: true };
      const made = await graphql(stack.connection, create, { input });
      expect(made).toMatchObject({ createGuardrail: { guardrail: { baseline: { id: ids[0] } } } });
    });

    it('gets its share of 10,000 users within a point, and each user the same version', async () => {
      served.push(...(await askAll(Array.from({ length: REQUESTS }, (_, i) => i))));
      expect(Math.abs(of(2).length / REQUESTS - 0.1)).toBeLessThanOrEqual(0.01);
      expect(of(1).length + of(2).length).toBe(REQUESTS);
      const again = await askAll(Array.from({ length: 500 }, (_, i) => i * 20));
      for (const { routeKey, version, id } of again) {
        const before = served.find((one) => one.routeKey === routeKey);
        expect(version).toBe(before?.version);
        expect(id).not.toBe(before?.id);
      }
    }, 180_000);

    it('has the live F1 that the client computes from the same answers, as the champion has', async () => {
      for (let i = 0; i < served.length; i += 1000) {
        const labels = served.slice(i, i + 1000).map(({ id, truth }) => ({ id, label: truth }));
        expect(await feedback(stack.connection, ENDPOINT, labels)).toBe(labels.length);
      }
      const query = `{ model(name: "adult") { versions { nodes { number
        evaluation(source: LIVE, window: { last: "1h" }, endpoint: "${ENDPOINT}") {
          labelled macro: f1(average: MACRO) { value } binary: f1(average: BINARY) { value } } } } } }`;
      type Evaluated = { number: number; evaluation: object };
      const live = async () => {
        const { model } = await graphql<{ model: { versions: { nodes: Evaluated[] } } }>(stack.connection, query);
        return model.versions.nodes.toSorted((a, b) => a.number - b.number).map(({ evaluation }) => evaluation);
      };
      const expected = [1, 2].map((version) => {
        const [positive, negative] = [f1Of(POSITIVE, of(version)), f1Of(NEGATIVE, of(version))];
        return {
          labelled: of(version).length,
          macro: { value: expect.closeTo((positive + negative) / 2, 12) },
          binary: { value: expect.closeTo(positive, 12) },
        };
      });
      await expect.poll(live, { timeout: 60_000, interval: 500 }).toEqual(expected);
    }, 120_000);

    it('is taken away by the guardrail, which shows why', async () => {
      const query = `{ endpoint(name: "${ENDPOINT}") { revision variants { modelVersion { number } }
        guardrails(first: 1) { nodes { status ended verdict decisions(first: 5) { nodes { verdict revision ledTo
          evidence { metric finding baseline { n value } challenger { n value } high } } } } } } }`;
      type Guarded = { endpoint: { guardrails: { nodes: { decisions: { nodes: { evidence: Evidence[] }[] } }[] } } };
      type Evidence = { metric: string; baseline: { n: number }; challenger: { n: number }; high: number };
      const guarded = async () => (await graphql<Guarded>(stack.connection, query)).endpoint;
      await expect.poll(guarded, { timeout: 60_000, interval: 500 }).toMatchObject({
        revision: 2,
        variants: [{ modelVersion: { number: 1 } }],
        guardrails: {
          nodes: [
            {
              status: 'ENDED',
              ended: 'ACTED',
              verdict: 'ROLL_BACK',
              decisions: { nodes: [{ verdict: 'ROLL_BACK', revision: 1, ledTo: 2 }] },
            },
          ],
        },
      });
      const evidence = (await guarded()).guardrails.nodes[0]?.decisions.nodes[0]?.evidence ?? [];
      const quality = evidence.find(({ metric }) => metric === 'QUALITY');
      expect(quality).toMatchObject({ finding: 'WORSE' });
      expect(quality?.high).toBeLessThan(0);
      expect(evidence.find(({ metric }) => metric === 'ERROR_RATE')).toMatchObject({ finding: 'OPEN' });
      const user = Number(of(2)[0]?.routeKey.slice('user-'.length));
      await expect.poll(async () => (await ask(user)).version, { timeout: 30_000 }).toBe(1);
    }, 120_000);
  });
