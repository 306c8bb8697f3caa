/** The console's transport against a real HTTP server on a free port. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiKey } from './api-key.ts';
import { ask, createFetcher } from './fetcher.ts';

const SUBSCRIPTION = 'subscription Ticks { tick } query Other { other }';
const apiKey = createApiKey();
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
const server = createServer((request, response) => answer(request, response));
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/graphql`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function collect(value: unknown): Promise<unknown[]> {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) throw new Error('not a stream');
  const results: unknown[] = [];
  for await (const result of value as AsyncIterable<unknown>) results.push(result);
  return results;
}

it('posts queries as JSON with the key, which the headers of a tab may replace', async () => {
  const seen: unknown[] = [];
  answer = async (request, response) => {
    seen.push({ ...request.headers, body: await json(request) });
    response.setHeader('content-type', 'application/json').end('{"data":{"other":1}}');
  };
  const fetcher = createFetcher({ url, apiKey });
  const params = { query: '{ other }', variables: { a: 1 } };
  expect(await fetcher(params)).toEqual({ data: { other: 1 } });
  apiKey.set(' secret ');
  await fetcher(params);
  await fetcher(params, { headers: { Authorization: 'Bearer of-the-tab' } });
  apiKey.set('');
  expect(seen).toMatchObject([
    { 'content-type': 'application/json', body: params },
    { authorization: 'Bearer secret' },
    { authorization: 'Bearer of-the-tab' },
  ]);
  expect(seen[0]).not.toHaveProperty('authorization');
});

it('yields the results of a subscription until the server completes it', async () => {
  answer = (request, response) => {
    if (request.headers.accept !== 'text/event-stream') return response.writeHead(406).end();
    response.setHeader('content-type', 'text/event-stream; charset=utf-8');
    for (const tick of [1, 2]) response.write(`event: next\ndata: {"data":{"tick":${tick}}}\n\n`);
    response.end('event: complete\ndata\n\n');
  };
  const fetcher = createFetcher({ url, apiKey });
  const results = await collect(fetcher({ query: SUBSCRIPTION, operationName: 'Ticks' }));
  expect(results).toEqual([{ data: { tick: 1 } }, { data: { tick: 2 } }]);
});

it('takes the operation by its name: the query beside a subscription is asked once', async () => {
  answer = (request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ data: request.headers.accept }));
  };
  const fetcher = createFetcher({ url, apiKey });
  const result = await fetcher({ query: SUBSCRIPTION, operationName: 'Other' });
  expect(result).toEqual({ data: 'application/graphql-response+json, application/json' });
});

it('corrects a name that GraphiQL took from the tab before', async () => {
  answer = async (request, response) => response.end(JSON.stringify({ data: await json(request) }));
  const fetcher = createFetcher({ url, apiKey });
  expect(await fetcher({ query: 'query Now { now }', operationName: 'Before' })).toMatchObject({
    data: { operationName: 'Now' },
  });
  expect(await fetcher({ query: 'query Broken {', operationName: 'Broken' })).toMatchObject({
    data: { query: 'query Broken {', operationName: 'Broken' },
  });
});

it('yields the refusal of a subscription, which is plain JSON', async () => {
  const refusal = { errors: [{ message: 'Not allowed' }] };
  answer = (_, response) => {
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
  };
  const fetcher = createFetcher({ url, apiKey });
  expect(await collect(fetcher({ query: SUBSCRIPTION, operationName: 'Ticks' }))).toEqual([refusal]);
});

it('closes the connection when it is stopped between two results', async () => {
  const closed = new Promise<void>((resolve) => {
    answer = (_, response) => {
      response.once('close', resolve);
      response.setHeader('content-type', 'text/event-stream').write('event: next\ndata: {"data":{"tick":1}}\n\n');
    };
  });
  const stream = createFetcher({ url, apiKey })({ query: SUBSCRIPTION, operationName: 'Ticks' });
  const iterator = (stream as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  expect(await iterator.next()).toEqual({ done: false, value: { data: { tick: 1 } } });
  const waiting = iterator.next();
  await iterator.return?.();
  await closed;
  expect(await waiting).toEqual({ done: true, value: undefined });
});

it('says what came where JSON was expected', async () => {
  answer = (_, response) => response.writeHead(502).end('<h1>Bad gateway</h1>');
  await expect(ask({ url, apiKey }, { query: '{ other }' })).rejects.toThrow(
    'The API answered 502 Bad Gateway where JSON was expected: <h1>Bad gateway</h1>',
  );
});
