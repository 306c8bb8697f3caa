import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column, runSpec, table } from '../data/testing.ts';
import { Api, ApiError, pause, StaleAttempt } from './api.ts';
import { claimRun, failRun, heartbeatRun, upload } from './operations.ts';
import { KEY, PlayedApi } from './testing.ts';

const small = table([column('a', [1, 2])], ['x', 'y'], ['TRAIN', 'TEST']);
const claimInput = { worker: 'w', engines: ['ORT_CPU'], waitSeconds: 0 };

let played: PlayedApi;
let problems: string[];
const client = (key = KEY) => new Api({ url: played.url, key, firstWaitMs: 1, onRetry: (p) => problems.push(p) });

beforeAll(async () => {
  played = await PlayedApi.start();
  problems = [];
});
afterAll(() => played.close());

describe('Api', () => {
  test('claims, writes, and stops at a stale attempt', async () => {
    played.queue('r', small, runSpec(small));
    const claim = await claimRun(client(), claimInput);
    expect(claim).toMatchObject({ runId: 'r', attempt: 1, checkpoint: null });
    const attempt = { runId: 'r', attempt: 1 };
    expect(await heartbeatRun(client(), { ...attempt, progress: 0 }, {})).toEqual({ cancelRequested: false });
    await failRun(client(), { ...attempt, code: 'DIVERGED', message: 'm' }, {});
    await expect(heartbeatRun(client(), { ...attempt, progress: 0 }, {})).rejects.toThrow(StaleAttempt);
  });

  test('uploads with exactly the headers that were staged, relative URLs included', async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const token = await upload(client(), { filename: 'f', mediaType: 'm', bytes, runId: 'r' });
    expect(played.blobs.get(token)).toEqual(Buffer.from(bytes));
  });

  test('a bad key is a refusal, not a reason to wait', async () => {
    await expect(claimRun(client('other'), claimInput)).rejects.toThrow(ApiError);
    await expect(claimRun(client('other'), claimInput)).rejects.toThrow('HTTP 401');
  });

  test('outages are waited out; an answer with errors only so often', async () => {
    played.outages.push(503, 429, 500);
    played.queue('later', small, runSpec(small));
    expect(await claimRun(client(), claimInput)).toMatchObject({ runId: 'later' });
    expect(problems).toHaveLength(3);
    played.outages.push(500, 500, 500, 500, 500);
    await expect(claimRun(client(), claimInput)).rejects.toThrow('HTTP 500');
  });

  test('gives up when it is told to', async () => {
    const away = new Api({ url: 'http://127.0.0.1:1/graphql', key: KEY, firstWaitMs: 1, onRetry: () => end.abort() });
    const end = new AbortController();
    await expect(claimRun(away, claimInput, end.signal)).rejects.toThrow('aborted');
    await expect(pause(60_000, end.signal)).rejects.toThrow('aborted');
  });
});
