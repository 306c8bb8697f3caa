/** The keys that an installation begins with. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { authenticate, sha256OfKey } from './auth.ts';
import { bootstrap } from './bootstrap.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

it('ensures them once, however often and however many processes start', async () => {
  const again = await Promise.all([1, 2, 3].map(() => bootstrap(api.deps, api.keys)));
  expect(again.map(({ projectId }) => projectId)).toEqual([api.projectId, api.projectId, api.projectId]);
  expect(await api.deps.prisma.apiKey.count()).toBe(3);
  expect(await authenticate(api.deps, `Bearer ${api.keys.trainer}`)).toMatchObject({
    projectId: null,
    scopes: ['train'],
  });
  expect(await authenticate(api.deps, api.keys.admin)).toEqual({ kind: 'anonymous' });
});

it('does not revive a revoked key', async () => {
  const where = { sha256: sha256OfKey(api.keys.edge) };
  await api.deps.prisma.apiKey.update({ where, data: { revokedAt: new Date() } });
  await bootstrap(api.deps, api.keys);
  expect(await authenticate(api.deps, `Bearer ${api.keys.edge}`)).toEqual({ kind: 'anonymous' });
});
