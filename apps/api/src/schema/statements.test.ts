/** SQL statements per query: the number must not grow with the rows (the key's look-up is not counted). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, claim, commit, complete, completion, mutate } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  const version = await commit(api);
  for (const seed of [1, 2, 3]) {
    const { runId } = await ask(api, version, { seed, modelName: 'boxes' });
    const claimed = await claim(api);
    if (!claimed) throw new Error('nothing to claim');
    const points = Array.from({ length: 1000 }, (_, step) => ({ name: 'train/loss', step, value: seed / (step + 1) }));
    const more = points.slice(0, 3).map((point) => ({ ...point, name: 'validation/loss' }));
    const report = { runId, attempt: 1, points: [...points, ...more] };
    await mutate(api, 'reportMetrics', 'ok', report, api.keys.trainer);
    await complete(api, await completion(api, claimed));
  }
  for (const { projectId, experimentId, specDigest, spec } of await api.deps.prisma.run.findMany()) {
    const copy = { projectId, experimentId, seed: 9, specDigest, spec: spec ?? {} };
    await api.deps.prisma.run.createMany({ data: [copy, copy] });
  }
  await commit(api);
  await mutate(api, 'createApiKey', 'secret', { name: 'reader', scopes: ['read'] });
});
afterAll(() => api.close());

async function counted(query: string): Promise<{ data: unknown; statements: string[] }> {
  let data: unknown;
  const all = await api.statements(async () => {
    const answer = await api.execute(query);
    expect(answer.errors).toBeUndefined();
    data = answer.data;
  });
  return { data, statements: all.filter((sql) => !/FROM "public"."ApiKey"[^)]*"sha256" =/.test(sql)) };
}

describe('a nested page', () => {
  it('of experiments, runs, metrics and versions costs at most three statements', async () => {
    const { data, statements } = await counted(`{ experiments(first: 10) { nodes { id name runs(first: 5) { nodes {
      id status metrics(points: 50) { name points { step value time } } modelVersion { id number } } } } } }`);
    expect(statements.length).toBeLessThanOrEqual(3);
    const page = JSON.parse(JSON.stringify(data)).experiments.nodes;
    expect(page).toHaveLength(3);
    expect(page[0].runs.nodes).toHaveLength(3);
    const done = page[0].runs.nodes.find((run: { status: string }) => run.status === 'SUCCEEDED');
    expect(done.modelVersion.number).toBe(3);
    const [train, validation] = done.metrics;
    expect(validation.points).toHaveLength(3);
    expect(train.points.length).toBeGreaterThan(40);
    expect(train.points.length).toBeLessThanOrEqual(50);
    expect(train.points[0].step).toBe(0);
    expect(train.points.at(-1).step).toBe(999);
  });
});

describe('list fields', () => {
  it.each([
    ['datasets', '{ datasets { nodes { name versions { nodes { number columns { name } dataset { name } } } } } }', 1],
    [
      'experiments',
      '{ experiments { nodes { name datasetVersion { number } model { name } runs { nodes { id } } } } }',
      1,
    ],
    ['runs', '{ experiments { nodes { runs { nodes { status experiment { name } modelVersion { number } } } } } }', 1],
    ['metrics', '{ experiments { nodes { runs { nodes { metrics { name points { value } } } } } } }', 2],
    ['apiKeys', '{ project { name apiKeys { nodes { name scopes } } } }', 1],
    ['totalCount', '{ experiments { totalCount nodes { runs { totalCount nodes { id } } } } }', 3],
  ])('%s', async (_name, query, most) => {
    const { statements } = await counted(query);
    expect(statements.length, statements.join('\n')).toBeLessThanOrEqual(most);
  });

  it('count only when asked to, and page by cursor from the newest', async () => {
    const first = await api.execute(
      '{ experiments(first: 2) { totalCount edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }',
    );
    const { totalCount, edges, pageInfo } = first.data.experiments;
    expect(totalCount).toBe(3);
    expect(pageInfo.hasNextPage).toBe(true);
    const rest = await api.execute(
      'query ($after: String) { experiments(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage } } }',
      { after: pageInfo.endCursor },
    );
    expect(rest.data.experiments.pageInfo.hasNextPage).toBe(false);
    const ids = [...edges.map(({ node }: { node: { id: string } }) => node.id), rest.data.experiments.nodes[0].id];
    const created = await api.deps.prisma.experiment.findMany({ orderBy: { createdAt: 'desc' }, select: { id: true } });
    expect(ids.map((id: string) => atob(id).split(':')[1])).toEqual(created.map(({ id }) => id));
  });
});
