/** Evaluations through GraphQL: numbers worked out by hand, thresholds, regression, ownership, statements. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import { createProject } from '../domain/project.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api?.close());

const evaluationOf = async (id: string, fields: string, args = 'source: HOLDOUT') => {
  const answer = await api.execute(`query ($id: ID!) { modelVersion(id: $id) { evaluation(${args}) { ${fields} } } }`, {
    id,
  });
  expect(answer.errors).toBeUndefined();
  return answer.data.modelVersion.evaluation;
};
const codeOf = async (id: string, args: string) => {
  const answer = await api.execute(`query ($id: ID!) { modelVersion(id: $id) { evaluation(${args}) { n } } }`, { id });
  expect(answer.data.modelVersion).toEqual({ evaluation: null });
  return answer.errors?.[0]?.extensions.code;
};

describe('of a BINARY version', () => {
  let version: SeededVersion;
  beforeAll(async () => {
    // At 0.5: right are 2 of 3 "no" and 4 of 5 "yes".
    const positive = [0.1, 0.2, 0.7, 0.4, 0.6, 0.7, 0.8, 0.9];
    version = await seedVersion(api.deps, {
      projectId: api.projectId,
      modelName: 'binary',
      rows: {
        classes: ['no', 'yes'],
        truth: [0, 0, 0, 1, 1, 1, 1, 1],
        probabilities: positive.map((p) => [1 - p, p]),
      },
    });
  });

  it('counts at the threshold of the manifest', async () => {
    const estimate = '{ value low high n }';
    const evaluation = await evaluationOf(
      version.id,
      `source n threshold positiveClass stale datasetDigest accuracy ${estimate}
      binary: f1(average: BINARY) ${estimate} macro: f1(average: MACRO) { value } default: f1 { value }
      precision(average: BINARY) { value } recall(average: BINARY) { value } rmse { value } r2 { value }
      perClass { label precision recall f1 support f1Estimate { low high } } confusionMatrix { labels counts }
      logLoss { value } rocAuc { value }`,
    );
    expect(evaluation).toMatchObject({
      source: 'HOLDOUT',
      n: 8,
      threshold: 0.5,
      positiveClass: 'yes',
      stale: false,
      datasetDigest: version.datasetDigest,
      accuracy: { value: 6 / 8, n: 8 },
      binary: { value: 0.8 },
      precision: { value: 4 / 5 },
      recall: { value: 4 / 5 },
      rmse: null,
      r2: null,
      perClass: [
        { label: 'no', precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
        { label: 'yes', precision: 4 / 5, recall: 4 / 5, f1: 0.8, support: 5 },
      ],
      confusionMatrix: {
        labels: ['no', 'yes'],
        counts: [
          [2, 1],
          [1, 4],
        ],
      },
    });
    expect(evaluation.macro.value).toBeCloseTo((2 / 3 + 0.8) / 2);
    expect(evaluation.default).toEqual(evaluation.macro);
    // Of the 15 pairs (no, yes), 0.7 is above 0.4 and 0.6 and ties with 0.7.
    expect(evaluation.rocAuc.value).toBeCloseTo(12.5 / 15);
    expect(evaluation.accuracy.low).toBeLessThan(0.75);
    expect(evaluation.accuracy.high).toBeGreaterThan(0.75);
  });

  it('counts at another threshold when asked, beside the first', async () => {
    const query = `query ($id: ID!) { modelVersion(id: $id) {
      at05: evaluation { threshold confusionMatrix { counts } }
      at03: evaluation(threshold: 0.3) { threshold confusionMatrix { counts } }
      at1: evaluation(threshold: 1) { confusionMatrix { counts } precision(average: BINARY) { value } } } }`;
    const { data, errors } = await api.execute(query, { id: version.id });
    expect(errors).toBeUndefined();
    const { at05, at03, at1 } = data.modelVersion;
    expect([at05.threshold, ...at05.confusionMatrix.counts]).toEqual([0.5, [2, 1], [1, 4]]);
    expect([at03.threshold, ...at03.confusionMatrix.counts]).toEqual([0.3, [2, 1], [0, 5]]);
    expect(at1.confusionMatrix.counts.flat()).toEqual([3, 0, 5, 0]);
    expect(data.modelVersion.at1.precision.value).toBeNull(); // 0/0 is undefined, not 0
  });

  it('refuses a threshold outside [0, 1]', async () => {
    expect(await codeOf(version.id, 'threshold: 1.5')).toBe('BAD_THRESHOLD');
    expect(await codeOf(version.id, 'threshold: -0.1')).toBe('BAD_THRESHOLD');
  });

  it('is stale when the edge runs other code than predicted, and the newest one counts', async () => {
    const { prisma } = api.deps;
    const { id: _, ...row } = await prisma.evaluation.findUniqueOrThrow({ where: { id: version.evaluationId } });
    const newer = await prisma.evaluation.create({ data: { ...row, wasmDigest: 'f'.repeat(64) } });
    expect(await evaluationOf(version.id, 'stale wasmDigest')).toEqual({ stale: true, wasmDigest: 'f'.repeat(64) });
    await prisma.evaluation.delete({ where: { id: newer.id } });
    expect(await evaluationOf(version.id, 'stale')).toEqual({ stale: false });
  });
});

describe('of other tasks', () => {
  it('MULTICLASS: the class of the largest probability; there is no BINARY average and no threshold', async () => {
    const version = await seedVersion(api.deps, {
      projectId: api.projectId,
      modelName: 'three',
      rows: {
        classes: ['a', 'b', 'c'],
        truth: [0, 1, 1, 0],
        probabilities: [
          [0.5, 0.3, 0.2],
          [0.1, 0.8, 0.1],
          [0.1, 0.1, 0.8],
          [0.4, 0.3, 0.3],
        ],
      },
    });
    const fields =
      'threshold positiveClass rocAuc { value } f1(average: BINARY) { value } accuracy { value } ' +
      'perClass { label recall }';
    expect(await evaluationOf(version.id, fields)).toEqual({
      threshold: null,
      positiveClass: null,
      rocAuc: null,
      f1: null,
      accuracy: { value: 0.75 },
      perClass: [
        { label: 'a', recall: 1 },
        { label: 'b', recall: 0.5 },
        { label: 'c', recall: null },
      ],
    });
    expect(await codeOf(version.id, 'threshold: 0.5')).toBe('BAD_THRESHOLD');
  });

  it('REGRESSION: errors in the unit of the target, and nothing of classes', async () => {
    const version = await seedVersion(api.deps, {
      projectId: api.projectId,
      modelName: 'price',
      rows: { truth: [1, 2, 3, 4], values: [1, 2, 3, 6] },
    });
    const evaluation = await evaluationOf(
      version.id,
      'rmse { value n } mae { value } r2 { value } accuracy { value } f1 { value } perClass { label } ' +
        'confusionMatrix { labels }',
    );
    expect(evaluation).toEqual({
      rmse: { value: 1, n: 4 },
      mae: { value: 0.5 },
      r2: { value: 1 - 4 / 5 },
      accuracy: null,
      f1: null,
      perClass: null,
      confusionMatrix: null,
    });
    const { data } = await api.execute('query ($id: ID!) { modelVersion(id: $id) { task classes threshold } }', {
      id: version.id,
    });
    expect(data.modelVersion).toEqual({ task: 'REGRESSION', classes: null, threshold: null });
  });
});

describe('stored predictions that do not fit the table', () => {
  it('are a masked error, and do not keep others from being evaluated', async () => {
    const rows = (truth: number[]) => ({ truth, values: truth });
    const one = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'odd', rows: rows([1, 2]) });
    const two = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'odd', rows: rows([1, 2, 3]) });
    const { predictionsDigest } = await api.deps.prisma.evaluation.findUniqueOrThrow({
      where: { id: two.evaluationId },
    });
    await api.deps.prisma.evaluation.update({ where: { id: one.evaluationId }, data: { predictionsDigest } });
    const { data, errors } = await api.execute(
      '{ model(name: "odd") { versions { nodes { evaluation { rmse { value } } } } } }',
    );
    expect(errors).toMatchObject([
      { message: expect.stringContaining('Unexpected error'), extensions: { code: 'INTERNAL' } },
    ]);
    const [newer, older] = data.model.versions.nodes;
    expect(newer.evaluation.rmse).toEqual({ value: 0 });
    expect(older.evaluation.rmse).toBeNull();
  });
});

describe('F1 by version', () => {
  const F1 = `{ model(name: "iris") { name versions(first: 10) { totalCount nodes {
    id number digest createdAt manifest parity { engine rows maxAbsDiff tolerance labelAgreement }
    artifact { digest byteLength url } model { name } run { id }
    evaluation(source: HOLDOUT) { n f1(average: MACRO) { value low high n } } } } } }`;

  it('is read with one statement, newest version first', async () => {
    const rows = {
      classes: ['a', 'b'],
      truth: [0, 1, 1],
      probabilities: [
        [1, 0],
        [0, 1],
        [1, 0],
      ],
    };
    const artifact = new TextEncoder().encode('the bytes of an artifact');
    const first = await seedVersion(api.deps, { projectId: api.projectId, rows, artifact });
    await seedVersion(api.deps, { projectId: api.projectId, rows: { ...rows, truth: [0, 1, 0] } });
    const statements = await api.statements(async () => {
      const { data, errors } = await api.execute(F1);
      expect(errors).toBeUndefined();
      const { nodes, totalCount } = data.model.versions;
      expect(totalCount).toBe(2);
      expect(nodes.map((node: { number: number }) => node.number)).toEqual([2, 1]);
      expect(nodes[0].evaluation.f1.value).toBe(1);
      expect(nodes[1].evaluation.f1.value).toBeCloseTo(2 / 3);
      expect(nodes[1].parity).toEqual({
        engine: 'ORT_CPU',
        rows: 3,
        maxAbsDiff: 1e-7,
        tolerance: 1e-4,
        labelAgreement: 1,
      });
      expect(nodes[1].artifact).toMatchObject({ digest: first.artifactDigest, byteLength: artifact.byteLength });
      const bytes = await fetch(nodes[1].artifact.url); // signed: no key
      expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(artifact);
    });
    expect(statements.filter((sql) => !sql.includes('"ApiKey"'))).toHaveLength(1);
  });

  it('is nobody else’s: another project sees no model, no version, no node', async () => {
    const version = await seedVersion(api.deps, {
      projectId: api.projectId,
      modelName: 'private',
      rows: { truth: [1, 2], values: [1, 2] },
    });
    const { secret } = await createProject(api.deps, { name: 'strangers' });
    const query = `query ($id: ID!) { model(name: "private") { name } models { totalCount nodes { name } }
      modelVersion(id: $id) { number } node(id: $id) { id } }`;
    const { data } = await api.execute(query, { id: version.id }, secret);
    const nothing = { model: null, models: { totalCount: 0, nodes: [] }, modelVersion: null, node: null };
    expect(data).toEqual(nothing);
    const own = await api.execute(query, { id: version.id });
    expect(own.data).toMatchObject({
      model: { name: 'private' },
      modelVersion: { number: 1 },
      node: { id: version.id },
    });
  });
});
