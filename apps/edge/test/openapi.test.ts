import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { PLACES } from '../src/places.ts';
import { openApi } from '../src/protocol/openapi.ts';
import { binaryManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel } from './models.ts';
import { KEYS, type Stand, startStand } from './stand.ts';

const model = binaryModel();
const SECRET = 'titanic';
const WRITE_KEY = 'write-key-0123456789abcdef';
const writer = { sha256: sha256(WRITE_KEY), scopes: ['write' as const] };

interface Media {
  'application/json'?: { schema: Parameters<typeof z.fromJSONSchema>[0] };
}
interface Operation {
  summary: string;
  parameters?: { name: string; in: string }[];
  security: unknown[];
  requestBody?: { content: Media };
  responses: Record<string, { content?: Media }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

let stand: Stand;
let document: Document;
beforeAll(async () => {
  stand = await startStand();
  await stand.pushArtifact(model);
  await stand.pushRoute(routeOf(SECRET, 1, [[binaryManifest(model), 1]], [...KEYS, writer]));
  document = await (await stand.request('/openapi.json')).json();
});
afterAll(() => stand.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
/** A path of the document with its parameters filled in. */
const filled = (path: string) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name) => (name === 'version' ? '1' : name === 'digest' ? 'x' : SECRET));

const ROWS = [{ age: 30, sex: 'male' }];
const INPUTS = [
  { name: 'age', shape: [1], datatype: 'FP64', data: [30] },
  { name: 'sex', shape: [1], datatype: 'BYTES', data: ['male'] },
];
/** A body that each place accepts, by the end of its path; feedback needs a prediction first. */
const BODIES: Record<string, unknown> = {
  predict: { instances: ROWS },
  invocations: { instances: ROWS },
  infer: { id: 'x', inputs: INPUTS },
};
async function bodyOf(path: string): Promise<unknown> {
  const end = path.split('/').at(-1) ?? '';
  if (end !== 'feedback') return BODIES[end];
  const { predictions }: { predictions: { id: string }[] } = await (
    await stand.predict(SECRET, { instances: ROWS })
  ).json();
  return { id: predictions[0]?.id, label: 'yes' };
}

async function call(path: string, method: string, body: unknown): Promise<Response> {
  return stand.request(filled(path), {
    method: method.toUpperCase(),
    headers: { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe('the OpenAPI document', () => {
  test('is 3.1, the same for everybody, and names no tenant', async () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document).toEqual(JSON.parse(JSON.stringify(openApi(PLACES))));
    expect(JSON.stringify(document)).not.toContain(SECRET);
  });

  test('has every place but those of the API’s pushes, with what the paths name', () => {
    const open = PLACES.filter(({ access }) => access !== 'SIGNED');
    expect(Object.keys(document.paths).sort()).toEqual(open.flatMap(({ paths }) => paths).sort());
    for (const { path, operation } of operations()) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const inPath = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? [];
      expect(
        inPath.map(({ name }) => name),
        path,
      ).toEqual(names);
      expect(operation.summary, path).toBeTruthy();
    }
  });

  test('tells the truth: what it says is accepted is accepted, what is answered is what it says', async () => {
    for (const { path, method, operation } of operations()) {
      const body = await bodyOf(path);
      const requested = operation.requestBody?.content['application/json']?.schema;
      expect(body !== undefined, path).toBe(requested !== undefined);
      if (requested) expect(z.fromJSONSchema(requested).safeParse(body).success, path).toBe(true);
      const response = await call(path, method, body);
      expect(response.status, path).toBe(200);
      const answered = operation.responses[200]?.content?.['application/json']?.schema;
      if (!answered) continue;
      const parsed = z.fromJSONSchema(answered).safeParse(await response.json());
      expect(parsed.error, path).toBeUndefined();
    }
  });

  test('its security is the edge’s: who has no key is refused, in the form that it says', async () => {
    for (const { path, method, operation } of operations()) {
      const response = await stand.request(filled(path), {
        method: method.toUpperCase(),
        ...(operation.requestBody && { body: '{}', headers: { 'content-type': 'application/json' } }),
      });
      if (operation.security.length === 0) {
        expect(response.status, path).toBe(200);
        expect(await response.text(), path).not.toContain(SECRET);
        continue;
      }
      expect(response.status, path).toBe(401);
      const said = operation.responses.default?.content?.['application/json']?.schema;
      if (!said) throw new Error(`${path} says nothing of its errors`);
      expect(z.fromJSONSchema(said).safeParse(await response.json()).error, path).toBeUndefined();
    }
  });

  test('public are only places that speak of no project', () => {
    const open = PLACES.filter(({ access }) => access === 'PUBLIC').flatMap(({ paths }) => paths);
    expect(open).toEqual(['/v2', '/v2/health/live', '/v2/health/ready', '/healthz', '/openapi.json']);
  });
});
