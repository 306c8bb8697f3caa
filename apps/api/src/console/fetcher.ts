/**
 * How the console talks to the API: queries and mutations by one POST, subscriptions by a POST that is answered with
 * a stream of events. Knows the transport, no operation.
 */
import type { FetcherOpts, FetcherParams, FetcherReturnType } from '@graphiql/toolkit';
import { type ExecutionResult, Kind, type OperationDefinitionNode, parse } from 'graphql';
import type { ApiKey } from './api-key.ts';
import { readEvents } from './sse.ts';

/** Where the API is and the key to show it, if the user gave one. */
export interface Endpoint {
  url: string;
  apiKey: ApiKey;
}

type Headers = Record<string, string>;

/** The function that GraphiQL calls for every operation, its own introspection included. */
export function createFetcher(endpoint: Endpoint): (params: FetcherParams, options?: FetcherOpts) => FetcherReturnType {
  return (params, options) => {
    const headers: Headers = options?.headers ?? {};
    const operation = chosenOperation(params);
    const named = operation?.name ? { ...params, operationName: operation.name.value } : params;
    return operation?.operation === 'subscription' ? listen(endpoint, named, headers) : ask(endpoint, named, headers);
  };
}

/**
 * The operation that is to run. The name that GraphiQL gives, and its documentAST, are still those of the tab before
 * for a moment after a change of tabs; the text is always the right one, and mostly it has a single operation.
 */
function chosenOperation({ query, operationName }: FetcherParams): OperationDefinitionNode | undefined {
  try {
    const operations = parse(query).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
    return operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  } catch {
    return undefined; // the API's own message says best what is wrong with the text
  }
}

/** Sends one query or mutation. @throws when the answer is not GraphQL's JSON; GraphQL's own errors are returned. */
export async function ask(endpoint: Endpoint, params: FetcherParams, headers: Headers = {}): Promise<ExecutionResult> {
  const accept = 'application/graphql-response+json, application/json';
  return json(await post(endpoint, params, { accept, ...headers }));
}

/** The results of a subscription as they come. `return()` closes the connection at once, even between two results. */
function listen(endpoint: Endpoint, params: FetcherParams, headers: Headers): AsyncIterable<ExecutionResult> {
  const abort = new AbortController();
  const results = read();
  async function* read(): AsyncGenerator<ExecutionResult> {
    try {
      const response = await post(endpoint, params, { accept: 'text/event-stream', ...headers }, abort.signal);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
        yield await json(response);
        return;
      }
      for await (const { event, data } of readEvents(response.body)) {
        if (event === 'complete') return;
        if (data) yield JSON.parse(data);
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
  }
  // A plain generator would hear return() only after the next event: GraphiQL's stop button must not wait for it.
  const iterator: AsyncIterator<ExecutionResult> = {
    next: () => results.next(),
    return: () => {
      abort.abort();
      return results.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

function post(endpoint: Endpoint, params: FetcherParams, headers: Headers, signal?: AbortSignal): Promise<Response> {
  const key = endpoint.apiKey.get();
  return fetch(endpoint.url, {
    method: 'POST',
    credentials: 'same-origin',
    // The headers editor comes last: what is typed there for one tab beats the key of the Access panel.
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }), ...lower(headers) },
    body: JSON.stringify(params),
    ...(signal && { signal }),
  });
}

async function json(response: Response): Promise<ExecutionResult> {
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(
      `The API answered ${response.status} ${response.statusText} where JSON was expected: ${body.slice(0, 300)}`,
    );
  }
}

const lower = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
