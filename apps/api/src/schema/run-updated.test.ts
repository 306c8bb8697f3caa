/** runUpdated over SSE: the state now, every change, and an end when the run ends. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../../../test/testkit/api.ts';
import { ask, claim, commit, mutate } from './testing.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

/** The data of each event, as it arrives. */
async function* follow(runId: string, key: string) {
  const response = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${key}`,
    },
    body: JSON.stringify({
      query: 'subscription ($id: ID!) { runUpdated(runId: $id) { id status progress experiment { name } } }',
      variables: { id: runId },
    }),
  });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.+)$/m.exec(event)?.[1];
      if (data) yield JSON.parse(data);
    }
  }
}

it('tells the state now, after each change, and ends with the run', async () => {
  const { runId } = await ask(api, await commit(api));
  const events = follow(runId, api.keys.admin);
  const next = async () => (await events.next()).value?.data.runUpdated;
  expect(await next()).toEqual({ id: runId, status: 'QUEUED', progress: 0, experiment: { name: 'Boxes' } });
  await claim(api);
  expect(await next()).toMatchObject({ status: 'RUNNING' });
  await mutate(api, 'heartbeatRun', 'ok', { runId, attempt: 1, progress: 0.5 }, api.keys.trainer);
  expect(await next()).toMatchObject({ progress: 0.5 });
  const failure = { runId, attempt: 1, code: 'DIVERGED', message: '' };
  await mutate(api, 'failRun', 'run { id }', failure, api.keys.trainer);
  expect(await next()).toMatchObject({ status: 'FAILED' });
  expect((await events.next()).done).toBe(true);
});

it('says nothing of runs of other projects, and refuses keys that may not read', async () => {
  const { runId } = await ask(api, await commit(api));
  const { secret } = await mutate(api, 'createProject', 'secret', { name: 'other' });
  expect((await follow(runId, secret).next()).done).toBe(true);
  expect((await follow(runId, api.keys.trainer).next()).value.errors[0].extensions.code).toBe('FORBIDDEN');
  expect((await follow(runId, 'unknown').next()).value.errors[0].extensions.code).toBe('UNAUTHENTICATED');
});
