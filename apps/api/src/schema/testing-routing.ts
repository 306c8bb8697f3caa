/** What the tests of routing share: an API over a stand-in of the edge, three versions, and the mutations by name. */
import { afterAll, beforeAll } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { type EdgeDoor, startEdgeDoor } from '../../../../test/testkit/edge-door.ts';
import { type SeededVersion, seedVersion } from '../../../../test/testkit/seed.ts';
import { mutate } from './testing.ts';

export const rows = {
  classes: ['a', 'b'],
  truth: [0, 1],
  probabilities: [
    [1, 0],
    [0, 1],
  ],
};
export let edge: EdgeDoor;
export let api: TestApi;
export const versions: SeededVersion[] = [];
beforeAll(async () => {
  edge = await startEdgeDoor();
  api = await startTestApi({ edge: { url: edge.url, adminSecret: edge.adminSecret } });
  for (let i = 0; i < 3; i++) versions.push(await seedVersion(api.deps, { projectId: api.projectId, rows }));
});
afterAll(async () => {
  await api?.close();
  await edge?.close();
});

export const ENDPOINT = `endpoint { name revision settings { cors logged drift samples { rate retentionDays }
    limits { instances bodyBytes textLength computeMs } }
  variants { weight modelVersion { number } } shadow { share modelVersion { number } }
  ramp { status step share nextAt finishedAt revision steps { share seconds } modelVersion { number } } }`;
export const run = async (name: string, input: object) => await mutate(api, name, ENDPOINT, input);
export const idOf = (number: number) => versions[number - 1]?.id ?? '';
export const deploy = (endpoint: string, variants: [number: number, weight: number][], more: object = {}) =>
  run('deploy', {
    endpoint,
    variants: variants.map(([number, weight]) => ({ modelVersionId: idOf(number), weight })),
    ...more,
  });
export const errorOf = (answer: { userErrors: { code: string; field: string[] | null }[] }) =>
  answer.userErrors.map(({ code, field }) => [code, field?.join('.')]);
/** [version, weight] of what the edge has. */
export const served = async (endpoint: string, revision: number) => {
  const route = await edge.served(endpoint, revision);
  return route.variants.map(({ version, weight }) => [version, Number(weight.toFixed(6))]);
};

export const HISTORY = `query ($name: String!, $after: String) {
  endpoint(name: $name) { revisions(first: 3, after: $after) {
  totalCount pageInfo { endCursor hasNextPage } nodes { number reason repeats acknowledgedAt events settings { logged }
    variants { weight modelVersion { number } } shadow { share modelVersion { number } } } } } }`;
