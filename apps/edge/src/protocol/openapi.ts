/**
 * The OpenAPI 3.1 document of the edge, printed from its table of places and from the schemas that validate. It is the
 * same for everybody and tells nothing of any project, so it needs no key.
 */
import { z } from 'zod';
import { EDGE_BUILD } from '../engine/index.ts';
import type { Place } from '../places.ts';
import { VERSION_HEADER } from './version.ts';

type Json = Record<string, unknown>;
/** In zod's terms: what a request may be before it is parsed, what a response is. */
type Direction = 'input' | 'output';

const jsonSchema = (schema: z.ZodType, io: Direction): Json => {
  // Several schemas are checked by functions: their .meta() says what JSON Schema cannot be derived.
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' });
  return json;
};

/** The document. */
export function openApi(places: readonly Place[]): Json {
  const paths: Record<string, Json> = {};
  for (const place of places.filter(({ access }) => access !== 'SIGNED'))
    for (const path of place.paths) paths[path] = { ...paths[path], ...operations(place, path) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Anneal edge',
      version: EDGE_BUILD.slice(0, 12),
      description:
        'Predictions in the plain form, the Open Inference Protocol v2 and the form of MLflow’s scoring server.',
    },
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key of the project.' } },
    },
    paths,
  };
}

function operations(place: Place, path: string): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => String(match[1]));
  const parameters = [...names.map(parameter), ...(place.versioned ? [VERSION_PARAMETER] : [])];
  const operation = {
    summary: place.summary,
    ...(parameters.length > 0 && { parameters }),
    security: place.access === 'KEY' ? [{ key: [] }] : [],
    ...(place.request && { requestBody: { required: true, content: content(place, place.request, 'input') } }),
    responses: responses(place),
  };
  const methods = place.methods.filter((method) => method !== 'HEAD');
  return Object.fromEntries(methods.map((method) => [method.toLowerCase(), operation]));
}

const VERSION_PARAMETER: Json = {
  name: VERSION_HEADER,
  in: 'header',
  description: 'Number of the variant or shadow that is to answer, for tests.',
  schema: { type: 'integer', minimum: 1 },
};

function parameter(name: string): Json {
  const schema = name === 'version' ? { type: 'integer', minimum: 1 } : { type: 'string' };
  return { name, in: 'path', required: true, schema };
}

function responses({ response, error, ...place }: Place): Json {
  return {
    200: { description: 'OK', ...(response && { content: content(place, response, 'output') }) },
    ...(error && {
      default: { description: 'Refused', content: { 'application/json': { schema: jsonSchema(error, 'output') } } },
    }),
  };
}

function content({ binary }: Pick<Place, 'binary'>, schema: z.ZodType, io: Direction): Json {
  return {
    'application/json': { schema: jsonSchema(schema, io) },
    // JSON of Inference-Header-Content-Length bytes, then the tensors' bytes.
    ...(binary && { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }),
  };
}
