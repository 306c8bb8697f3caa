/**
 * What a door is: a function that answers a request or leaves it to the next. Bridges node:http and web-standard doors.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  requestId: string;
}
/** True when the request was answered. */
export type Door = (exchange: Exchange) => boolean | Promise<boolean>;

/** Errors outside GraphQL have the edge's form: status + { error: { code, message } }. */
export function refuse(response: ServerResponse, status: number, code: string, message: string): true {
  return sendJson(response, status, { error: { code, message } });
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): true {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
  return true;
}

class BodyTooLarge extends Error {}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request) {
    total += chunk.length;
    if (total > maxBytes) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** A door from a function of web-standard Request to Response; undefined = not its business. */
export function webDoor(
  answer: (request: Request) => Promise<Response | undefined>,
  options: { path: RegExp; maxBytes: number },
): Door {
  return async ({ request, response, url }) => {
    if (!options.path.test(url.pathname)) return false;
    const method = request.method ?? 'GET';
    let body: Uint8Array<ArrayBuffer> | undefined;
    try {
      body = method === 'GET' || method === 'HEAD' ? undefined : await readBody(request, options.maxBytes);
    } catch (e) {
      if (!(e instanceof BodyTooLarge)) throw e;
      return refuse(response, 413, 'TOO_LARGE', `the body has more than the allowed ${options.maxBytes} bytes`);
    }
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers))
      for (const one of [value ?? []].flat()) headers.append(name, one);
    const answered = await answer(new Request(url, { method, headers, ...(body && { body }) }));
    if (!answered) return false;
    response.writeHead(answered.status, headersOf(answered));
    if (answered.body && method !== 'HEAD') await pipeline(Readable.fromWeb(webStream(answered.body)), response);
    else response.end();
    return true;
  };
}

/** Node's and the DOM's ReadableStream are one at run time but two in the types. */
const webStream = (body: ReadableStream) => body as unknown as Parameters<typeof Readable.fromWeb>[0];

function headersOf(answered: Response): Record<string, string | string[]> {
  const plain: Record<string, string | string[]> = Object.fromEntries(answered.headers);
  const cookies = answered.headers.getSetCookie();
  if (cookies.length) plain['set-cookie'] = cookies;
  return plain;
}
