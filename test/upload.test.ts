/** The byte doors: large files in constant memory, and what is refused before anything is kept. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../examples/client.ts';
import { processesOf } from './testkit/processes.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const MIB = 1 << 20;
const CHUNK = new Uint8Array(MIB).fill(7);

async function stage(stack: Stack, byteLength: number): Promise<string> {
  const input = { filename: 'large.csv', byteLength, mediaType: 'text/csv' };
  const mutation = 'mutation ($input: StageUploadInput!) { stageUpload(input: $input) { upload { url } } }';
  return (await graphql<{ stageUpload: { upload: { url: string } } }>(stack.connection, mutation, { input }))
    .stageUpload.upload.url;
}

/** PUTs that many MiB as a stream; status and body of the answer. */
async function put(url: string, mebibytes: number): Promise<{ status?: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status?: number; body: string }>();
  const sent = request(url, { method: 'PUT', headers: { 'content-length': mebibytes * MIB } }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    response.once('end', () => resolve({ ...(response.statusCode && { status: response.statusCode }), body }));
  });
  sent.once('error', reject);
  await pipeline(Readable.from(Array.from({ length: mebibytes }, () => CHUNK)), sent).catch(reject);
  return await promise;
}

describe('uploads', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(async () => await stack.stop());

  it('takes 300 MB without holding them in memory', async () => {
    const [api] = processesOf(stack.home).filter(({ command }) => command.includes('apps/api/src/main.ts'));
    const peak = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${api?.pid}/status`, 'utf8'))?.[1]) / 1024;
    const before = peak();
    const { status, body } = await put(await stage(stack, 300 * MIB), 300);
    expect(status, body).toBe(200);
    const hash = createHash('sha256');
    for (let i = 0; i < 300; i++) hash.update(CHUNK);
    expect(JSON.parse(body)).toEqual({ digest: hash.digest('hex'), byteLength: 300 * MIB });
    expect(peak() - before).toBeLessThan(150); // half the file: buffers of the stream and garbage not yet collected
  });

  it('refuses another length than was staged, and a signature for another file', async () => {
    const url = await stage(stack, 2 * MIB);
    expect(await put(url, 1)).toMatchObject({ status: 400, body: expect.stringContaining('WRONG_LENGTH') });
    const other = new URL(await stage(stack, MIB));
    const mixed = new URL(url);
    mixed.search = other.search;
    expect((await fetch(mixed, { method: 'PUT', body: CHUNK })).status).toBe(403);
    expect((await fetch(url, { method: 'POST', body: CHUNK })).status).toBe(405);
  });

  it('a token without its bytes cannot be committed', async () => {
    const to = stack.connection;
    const staged = `mutation {
      stageUpload(input: { filename: "a", byteLength: 4, mediaType: "text/csv" }) { upload { token } }
      createDataset(input: { name: "x" }) { dataset { id } } }`;
    type Staged = { stageUpload: { upload: { token: string } }; createDataset: { dataset: { id: string } } };
    const { stageUpload, createDataset } = await graphql<Staged>(to, staged);
    const input = {
      datasetId: createDataset.dataset.id,
      uploadTokens: [stageUpload.upload.token],
      format: 'CSV',
      target: 'a',
    };
    const commit =
      'mutation ($input: CommitDatasetVersionInput!) { commitDatasetVersion(input: $input) { userErrors { ' +
      'code field message } } }';
    await expect(graphql(to, commit, { input })).rejects.toThrow(/uploadTokens/);
  });
});
