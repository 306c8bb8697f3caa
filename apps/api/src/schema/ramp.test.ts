/** Ramps through GraphQL, over a stand-in of the edge that verifies pushes; the time of their steps is an argument. */
import { describe, expect, it } from 'vitest';
import { seedVersion } from '../../../../test/testkit/seed.ts';
import { pickVariant } from '../../../edge/src/variant.ts';
import { DEFAULT_STEPS, stepRamps, withShare } from '../domain/ramp.ts';
import { startRamps } from '../domain/ramp-schedule.ts';
import { mutate } from './testing.ts';
import { api, deploy, ENDPOINT, errorOf, HISTORY, idOf, run, served } from './testing-routing.ts';

/** Steps ramps as the scheduler does, so many hours from now; answers which went on. */
const step = async (hours: number) => {
  const now = () => new Date(Date.now() + hours * 3_600_000);
  return (await stepRamps({ prisma: api.deps.prisma, now })).map(({ name, revision }) => [name, revision]);
};

describe('a ramp', () => {
  const start = (endpoint: string, number: number, steps?: object[], more: object = {}) =>
    run('startRamp', { endpoint, modelVersionId: idOf(number), ...(steps && { steps }), ...more });

  it('goes from 1 to 100 % by revisions, the others in proportion, each when its time has come', async () => {
    const shadow = [{ modelVersionId: idOf(3), share: 0.5 }];
    await deploy(
      'ramped',
      [
        [1, 3],
        [2, 1],
      ] as [number, number][],
      { shadow },
    );
    const { endpoint } = await start('ramped', 3);
    expect(endpoint).toMatchObject({
      revision: 2,
      shadow: [], // a version is not its own shadow
      ramp: { status: 'RUNNING', step: 0, share: 0.01, revision: 2, finishedAt: null, modelVersion: { number: 3 } },
    });
    expect(endpoint.ramp.steps.map((of: { share: number; seconds: number }) => [of.share, of.seconds])).toEqual([
      [0.01, 3600],
      [0.1, 3600],
      [0.5, 3600],
      [1, 3600],
    ]);
    const inSeconds = (Date.parse(endpoint.ramp.nextAt) - Date.now()) / 1000;
    expect(inSeconds).toBeGreaterThan(3590);
    expect(inSeconds).toBeLessThanOrEqual(3600);
    expect(await served('ramped', 2)).toEqual([
      [1, 0.7425],
      [2, 0.2475],
      [3, 0.01],
    ]);
    expect(await step(0.99)).toEqual([]);
    expect(await step(1.01)).toEqual([['ramped', 3]]);
    expect(await step(1.02)).toEqual([]);
    // Settings and keys go with it.
    await run('updateEndpointSettings', { endpoint: 'ramped', settings: { drift: false } });
    expect(await step(2.1)).toEqual([['ramped', 5]]);
    expect(await step(100)).toEqual([['ramped', 6]]);
    expect(await step(1000)).toEqual([]);
    const { data } = await api.execute(`{ endpoint(name: "ramped") { ${ENDPOINT.slice(11)} }`);
    expect(data.endpoint).toMatchObject({
      variants: [{ weight: 1, modelVersion: { number: 3 } }],
      settings: { drift: false },
      ramp: { status: 'FINISHED', step: 3, share: 1, nextAt: null, finishedAt: expect.any(String) },
    });
    const reasons = (await api.execute(HISTORY, { name: 'ramped' })).data.endpoint.revisions.nodes;
    expect(reasons.map(({ reason }: { reason: string }) => reason)).toEqual(['RAMP', 'RAMP', 'SETTINGS']);
  });

  it('keeps who has met the version with it, and gives it its share of the route keys', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);
    const before = ['a', 'b', 'new'].map((modelVersionId) => ({ modelVersionId, weight: 1 }));
    let met: string[] = [];
    for (const { share } of DEFAULT_STEPS) {
      const variants = withShare(before, 'new', share);
      const now = keys.filter((key) => pickVariant(variants, key, Math.random)?.modelVersionId === 'new');
      expect(Math.abs(now.length / keys.length - share)).toBeLessThan(0.01);
      const here = new Set(now);
      expect(met.filter((key) => !here.has(key))).toEqual([]);
      met = now;
    }
    expect(met).toHaveLength(10_000);
  });

  it('takes each step once, however many processes look', async () => {
    await deploy('contended', [[1, 1]]);
    await start('contended', 2, [
      { share: 0.1, seconds: 0 },
      { share: 0.2, seconds: 600 },
      { share: 0.3, seconds: 600 },
    ]);
    const all = await Promise.all(Array.from({ length: 6 }, () => step(0.01)));
    expect(all.flat()).toEqual([['contended', 3]]);
    await run('cancelRamp', { endpoint: 'contended' });
  });

  it('goes on in the background, to the edge, also when one look fails', async () => {
    await deploy('background', [[1, 1]]);
    await start('background', 2, [
      { share: 0.1, seconds: 0 },
      { share: 0.2, seconds: 600 },
    ]);
    const ending = new AbortController();
    let looks = 0;
    const now = () => {
      looks++;
      if (looks === 1) throw new Error('the clock is away');
      return api.deps.now();
    };
    const pause = async () => {
      if (looks > 1) ending.abort();
    };
    const { prisma, blobs, log } = api.deps;
    await startRamps({ prisma, blobs, log, edge: api.deps.edge, now }, ending.signal, pause);
    expect(await served('background', 3)).toEqual([
      [1, 0.8],
      [2, 0.2],
    ]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a deploy', () => deploy('ended', [[1, 1]])],
    ['an undeploy', () => run('undeploy', { endpoint: 'ended' })],
    ['a roll back', () => run('rollBack', { endpoint: 'ended' })],
  ])('is ended by %s', async (_, change) => {
    await deploy('ended', [[1, 1]]);
    expect((await start('ended', 2)).userErrors).toEqual([]);
    await change();
    const { data } = await api.execute('{ endpoint(name: "ended") { ramp { status nextAt finishedAt } } }');
    expect(data.endpoint.ramp).toEqual({ status: 'CANCELED', nextAt: null, finishedAt: expect.any(String) });
    expect(await step(1000)).toEqual([]);
  });

  it('is canceled where it stands, or rolled back to what was before it', async () => {
    await deploy('stopped', [
      [1, 3],
      [2, 1],
    ] as [number, number][]);
    await run('updateEndpointSettings', { endpoint: 'stopped', settings: {} });
    await start('stopped', 3);
    await step(1.1);
    await mutate(api, 'createApiKey', 'secret', { name: 'between', scopes: ['read'] });
    const canceled = await run('cancelRamp', { endpoint: 'stopped' });
    expect(canceled.endpoint).toMatchObject({ revision: 5, ramp: { status: 'CANCELED', share: 0.1 } });
    expect((await served('stopped', 5)).at(-1)).toEqual([3, 0.1]);
    expect(errorOf(await run('cancelRamp', { endpoint: 'stopped' }))).toEqual([['NO_RAMP', 'endpoint']]);
    await start('stopped', 3, [
      { share: 0.5, seconds: 1 },
      { share: 0.6, seconds: 1 },
      { share: 0.7, seconds: 1 },
    ]);
    await step(1);
    const { endpoint } = await run('cancelRamp', { endpoint: 'stopped', rollBack: true });
    expect(endpoint).toMatchObject({ revision: 8, ramp: { status: 'CANCELED', share: 0.6 } });
    expect(await served('stopped', 8)).toEqual([
      [1, 0.675],
      [2, 0.225],
      [3, 0.1],
    ]);
    const [newest] = (await api.execute(HISTORY, { name: 'stopped' })).data.endpoint.revisions.nodes;
    expect(newest).toMatchObject({ reason: 'ROLL_BACK', repeats: 5 });
    expect(await step(1000)).toEqual([]);
    const ramps = '{ endpoint(name: "stopped") { ramps { totalCount nodes { share modelVersion { number } } } } }';
    expect((await api.execute(ramps)).data.endpoint.ramps).toEqual({
      totalCount: 2,
      nodes: [
        { share: 0.6, modelVersion: { number: 3 } },
        { share: 0.1, modelVersion: { number: 3 } },
      ],
    });
  });

  it('is refused where it cannot be', async () => {
    expect(errorOf(await start('absent', 1))).toEqual([['NOT_FOUND', 'endpoint']]);
    await deploy('refused', [[1, 1]]);
    expect(errorOf(await start('refused', 1))).toEqual([['NOTHING_TO_RAMP', 'endpoint']]);
    const falling = [0.5, 0.1].map((share) => ({ share, seconds: 1 }));
    expect(errorOf(await start('refused', 2, falling))).toEqual([['INVALID_INPUT', 'steps']]);
    expect(errorOf(await start('refused', 2, []))).toEqual([['INVALID_INPUT', 'steps']]);
    const price = { truth: [1, 2], values: [1, 2] };
    const { id } = await seedVersion(api.deps, { projectId: api.projectId, modelName: 'price', rows: price });
    expect(errorOf(await run('startRamp', { endpoint: 'refused', modelVersionId: id }))).toEqual([
      ['VARIANTS_DIFFER', 'modelVersionId'],
    ]);
    expect((await start('refused', 2)).userErrors).toEqual([]);
    expect(errorOf(await start('refused', 3))).toEqual([['RAMP_RUNNING', 'endpoint']]);
    await run('undeploy', { endpoint: 'refused' });
    expect(errorOf(await start('refused', 2))).toEqual([['NOTHING_TO_RAMP', 'endpoint']]);
  });
});
