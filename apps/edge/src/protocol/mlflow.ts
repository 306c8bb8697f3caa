/**
 * The form of MLflow's scoring server (mlflow/pyfunc/scoring_server): POST .../invocations, GET .../ping. MLflow has
 * one model per server, so the server's base URL is /v1/endpoints/{endpoint}. Models of columns only.
 */
import { z } from 'zod';
import { answer, answerJson } from '../answer.ts';
import { readJson } from '../body.ts';
import { columnInputs, MAX_INSTANCES, type Manifest, type Route } from '../contract.ts';
import { refuse } from '../errors.ts';
import { quote } from '../predict/errors.ts';
import type { Instance } from '../predict/index.ts';
import type { Call, Serve } from '../serve.ts';
import { invalidRequest } from './issue.ts';
import { predictRows, Row } from './plain.ts';
import { versionAsked } from './version.ts';

const Rows = z.array(z.unknown()).min(1).max(MAX_INSTANCES);

/** Exactly one of the four; `params` has no meaning for these models. */
export const InvocationsRequest = z
  .strictObject({
    dataframe_split: z
      .strictObject({
        columns: z.array(z.string()),
        data: z.array(z.array(z.unknown())).min(1).max(MAX_INSTANCES),
        index: z.array(z.unknown()).optional(),
      })
      .optional(),
    dataframe_records: z.array(Row).min(1).max(MAX_INSTANCES).optional(),
    instances: Rows.optional().meta({
      description: 'Rows: objects by column, or arrays in order of the used columns.',
    }),
    inputs: z
      .union([Rows, z.record(z.string(), Rows)])
      .optional()
      .meta({ description: 'Rows as in instances, or columns: arrays of the same length by name.' }),
    params: z.record(z.string(), z.unknown()).optional(),
  })
  .refine(({ params: _, ...forms }) => Object.values(forms).filter((form) => form !== undefined).length === 1, {
    message: 'expected exactly one of dataframe_split, dataframe_records, instances and inputs',
  });
export type InvocationsRequest = z.infer<typeof InvocationsRequest>;

/** `predictions`: labels or values. MLflow allows members beside it. */
export const InvocationsResponse = z.strictObject({
  predictions: z.array(z.union([z.string(), z.number()])),
  model: z.string(),
  version: z.int(),
  prediction_id: z.string().meta({ description: 'Instance i is the prediction <prediction_id>.i' }),
});

/** POST /v1/endpoints/{endpoint}/invocations */
export async function invocations(serve: Serve, request: Request, endpoint: string, call: Call): Promise<Response> {
  const route = await serve.admit(endpoint, request.headers.get('authorization'), call);
  const { limits } = route.settings;
  const parsed = InvocationsRequest.safeParse(await readJson(request, limits.bodyBytes));
  if (!parsed.success) throw invalidRequest(parsed.error, 'a scoring request');
  const rows = rowsOf(parsed.data);
  const { id, variant, answer } = await serve.run(
    route,
    { version: versionAsked(request), instances: rows.length },
    (session, manifest) =>
      predictRows(session, manifest, 'kind' in manifest ? [] : rows.map((row, i) => named(manifest, row, i)), limits),
    call,
  );
  const predictions = answer.predictions.map((p) => ('value' in p ? p.value : p.label));
  const body: z.infer<typeof InvocationsResponse> = {
    predictions,
    model: variant.model,
    version: variant.version,
    prediction_id: id,
  };
  return answerJson(body, call);
}

/** GET /v1/endpoints/{endpoint}/ping: 200 once every version is loaded. */
export async function ping(serve: Serve, request: Request, endpoint: string, call: Call): Promise<Response> {
  const route: Route = await serve.admit(endpoint, request.headers.get('authorization'), call);
  if (route.variants.length === 0) throw refuse(404, 'NOT_FOUND', `endpoint ${endpoint} has no version deployed`);
  for (const variant of route.variants) await serve.load(variant, call);
  return answer('\n', 'application/json', call);
}

function rowsOf({ dataframe_split: split, dataframe_records, instances, inputs }: InvocationsRequest): unknown[] {
  if (split) return split.data.map((row, i) => zip(split.columns, row, `dataframe_split.data[${i}]`));
  const rows = dataframe_records ?? instances ?? inputs ?? [];
  return Array.isArray(rows) ? rows : columnsToRows(rows);
}

function columnsToRows(columns: Record<string, unknown[]>): Instance[] {
  const [first, ...others] = Object.entries(columns);
  const length = first?.[1].length ?? 0;
  const odd = others.find(([, values]) => values.length !== length);
  if (odd || length === 0)
    throw refuse(
      400,
      'INVALID_REQUEST',
      `expected columns of one length, got ${odd?.[1].length ?? 0}`,
      `inputs.${odd?.[0] ?? ''}`,
    );
  return Array.from({ length }, (_, i) => Object.fromEntries(Object.entries(columns).map(([name, v]) => [name, v[i]])));
}

/** A row by column name: rows without names are in the order of the used columns. */
function named(manifest: Manifest, row: unknown, i: number): Instance {
  const inputs = columnInputs(manifest);
  const columns = inputs.map(({ column }) => column);
  const [only] = inputs;
  // The row of a model with one input may be that input's value: an image, a sequence, a number.
  const single = inputs.length === 1 && (only?.type === 'float32' || only?.type === 'int32' || !Array.isArray(row));
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return Object.fromEntries(Object.entries(row));
  return zip(columns, single ? [row] : row, `[${i}]`);
}

function zip(columns: readonly string[], row: unknown, where: string): Instance {
  if (!Array.isArray(row) || row.length !== columns.length) {
    const got = Array.isArray(row) ? `${row.length} values` : quote(row);
    throw refuse(
      400,
      'INVALID_REQUEST',
      `expected ${columns.length} values: ${columns.slice(0, 8)}; got ${got}`,
      where,
    );
  }
  return Object.fromEntries(columns.map((name, c) => [name, row[c]]));
}
