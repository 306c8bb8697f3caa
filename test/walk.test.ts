/** The walk: from a CSV to an edge prediction and F1 by version, through the public operations alone. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  commit,
  createDataset,
  createExperiment,
  deploy,
  feedback,
  finished,
  graphql,
  predict,
  upload,
} from '../examples/client.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const CSV = readFileSync(path.resolve(import.meta.dirname, '../examples/churn.csv'));
const [header = '', ...records] = CSV.toString('utf8').trim().split('\n');
const names = header.split(',');
/** The rows of the test part (`testEvery: 5`) as a client would send them: numbers, texts, null for empty cells. */
const testRows = records
  .filter((_, i) => i % 5 === 0)
  .map((record) =>
    Object.fromEntries(record.split(',').map((cell, i) => [String(names[i]), cell === '' ? null : cell])),
  );

const VERSIONS = `{ model(name: "churn") { versions(first: 10) { nodes {
  id number digest
  evaluation(source: HOLDOUT) {
    n threshold accuracy { value low high n } f1(average: MACRO) { value low high n }
    perClass { label precision recall f1 support } confusionMatrix { labels counts }
  }
} } } }`;
interface Version {
  id: string;
  number: number;
  digest: string;
  evaluation: {
    n: number;
    threshold: number;
    accuracy: { value: number };
    f1: { value: number; low: number; high: number; n: number };
    confusionMatrix: { labels: string[]; counts: number[][] };
  };
}

/** Of pairs (true, answered): the mean over the classes of 2TP / (2TP + FP + FN). */
function macroF1(pairs: [truth: string, answered: string][]): number {
  const classes = [...new Set(pairs.flat())];
  const f1 = classes.map((name) => {
    const hits = pairs.filter(([truth, answered]) => truth === name && answered === name).length;
    return (2 * hits) / pairs.flat().filter((label) => label === name).length;
  });
  return f1.reduce((sum, value) => sum + value / classes.length, 0);
}

describe('the walk', () => {
  let stack: Stack;
  let datasetVersionId: string;
  const versions: Version[] = [];
  const answers: Answer[] = [];
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(async () => await stack.stop());

  it('uploads a CSV and commits it', async () => {
    const to = stack.connection;
    const token = await upload(to, 'churn.csv', new Uint8Array(CSV));
    const datasetId = await createDataset(to, 'churn');
    const input = { datasetId, uploadTokens: [token], format: 'CSV', target: 'churned', split: { testEvery: 5 } };
    const version = await commit(to, input);
    expect(version).toMatchObject({ number: 1, rowCount: records.length });
    expect(await commit(to, input)).toEqual(version); // the same bytes and options are the same version
    datasetVersionId = version.id;
  });

  it('trains two versions with different seeds', async () => {
    for (const seed of [1, 2]) {
      const input = { name: `churn ${seed}`, modelName: 'churn', datasetVersionId, seed };
      const version = await finished(stack.connection, await createExperiment(stack.connection, input));
      expect(version.number).toBe(seed);
    }
  }, 60_000);

  it('answers F1 by version, newest first, each with its interval', async () => {
    const { model } = await graphql<{ model: { versions: { nodes: Version[] } } }>(stack.connection, VERSIONS);
    versions.push(...model.versions.nodes);
    expect(versions.map((version) => version.number)).toEqual([2, 1]);
    for (const { evaluation } of versions) {
      expect(evaluation.n).toBe(testRows.length);
      expect(evaluation.accuracy.value).toBeGreaterThan(0.7); // always "no" would get 0.6
      expect(evaluation.f1.low).toBeLessThanOrEqual(evaluation.f1.value);
      expect(evaluation.f1.high).toBeGreaterThanOrEqual(evaluation.f1.value);
    }
    expect(versions[0]?.digest).not.toBe(versions[1]?.digest);
  });

  it('gives the same confusion matrix when the same rows are asked at the edge', async () => {
    for (const version of versions) {
      const endpoint = await deploy(stack.connection, 'churn', version.id);
      expect(endpoint.name).toBe('churn');
      const answer = await predict(stack.connection, 'churn', testRows);
      expect(answer).toMatchObject({ endpoint: 'churn', model: 'churn', version: version.number });
      answers.push(answer);
      const { labels, counts } = version.evaluation.confusionMatrix;
      const fromEdge = labels.map(() => labels.map(() => 0));
      answer.predictions.forEach(({ label = '' }, i) => {
        const row = fromEdge[labels.indexOf(String(testRows[i]?.churned))];
        const column = labels.indexOf(label);
        if (row) row[column] = (row[column] ?? 0) + 1;
      });
      expect(fromEdge).toEqual(counts);
    }
  });

  it('closes the loop: traffic and truth of a version in one query', async () => {
    const id = versions.at(-1)?.id; // asked once, with all test rows
    const query = `query ($id: ID!) { modelVersion(id: $id) {
      traffic(window: { last: "1h" }) { requests errors instances latency { p50 p95 p99 } }
      evaluation(source: HOLDOUT) { f1(average: MACRO) { value } }
    } }`;
    type Closed = { modelVersion: { traffic: { requests: number }; evaluation: { f1: { value: number } } } };
    await expect
      .poll(async () => (await graphql<Closed>(stack.connection, query, { id })).modelVersion, { timeout: 15_000 })
      .toMatchObject({
        traffic: { requests: 1, errors: 0, instances: testRows.length, latency: { p50: expect.any(Number) } },
        evaluation: { f1: { value: versions.at(-1)?.evaluation.f1.value } },
      });
  });

  it('gives the F1 that the client computes, within seconds of the feedback', async () => {
    const query = `{ model(name: "churn") { versions { nodes { number evaluation(source: LIVE, window: { last: "1h" }) {
      n labelled unknownLabels f1(average: MACRO) { value low high n } } } } } }`;
    type Live = { number: number; evaluation: { n: number; labelled: number; f1: { value: number | null } } };
    const live = async () =>
      (await graphql<{ model: { versions: { nodes: Live[] } } }>(stack.connection, query)).model.versions.nodes;
    const truth = testRows.map((row) => String(row.churned));
    for (const [turn, { version, predictions }] of answers.entries()) {
      // The first version's are told in two parts that overlap, with a mistake that is put right.
      const labels = predictions.map(({ id }, i) => ({ id, label: String(truth[i]) }));
      const wrong = labels.slice(0, 5).map(({ id, label }) => ({ id, label: label === 'yes' ? 'no' : 'yes' }));
      const requests = turn === 0 ? [[...wrong, ...labels.slice(20)], labels.slice(0, 40)] : [labels];
      for (const request of requests) expect(await feedback(stack.connection, 'churn', request)).toBe(request.length);
      const f1 = macroF1(predictions.map(({ label }, i) => [String(truth[i]), String(label)]));
      await expect
        .poll(async () => (await live()).find((node) => node.number === version)?.evaluation, { timeout: 5_000 })
        .toMatchObject({
          n: truth.length,
          labelled: truth.length,
          unknownLabels: 0,
          f1: { value: expect.closeTo(f1, 12), n: truth.length },
        });
    }
    expect(answers).toHaveLength(2);
  });

  it('refuses a label that is no class at the edge', async () => {
    const id = String(answers[0]?.predictions[0]?.id);
    const again = String(answers.at(-1)?.predictions[0]?.id);
    await expect(feedback(stack.connection, 'churn', [{ id: again, label: 'maybe' }])).rejects.toThrow(/no, yes/);
    // A version that is not in the route any more is judged when labels are counted.
    expect(await feedback(stack.connection, 'churn', [{ id, label: String(testRows[0]?.churned) }])).toBe(1);
  });

  it('refuses a misspelt column at the edge and says which is meant', async () => {
    const wrong = { ...testRows[0], support_ticket: 3 };
    await expect(predict(stack.connection, 'churn', [wrong])).rejects.toThrow(/support_tickets/);
  });
});
