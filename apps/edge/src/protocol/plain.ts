/** The plain predict form: {"instances":[{column: value}]} -> {"predictions":[...]}. */
import { z } from 'zod';
import { readJson } from '../body.ts';
import {
  MAX_INSTANCES,
  type Prediction,
  PredictRequest,
  type PredictResponse,
  type RouteVariant,
} from '../contract.ts';
import { refuse } from '../errors.ts';
import { type Instance, predict } from '../predict/index.ts';
import { type Call, predictionId, type Serve, type Session } from '../serve.ts';
import { invalidRequest } from './issue.ts';

/**
 * One row, without a look into its cells, which predict reads anyway: the contract's record of unknowns copies every
 * row, 15-30 ms for 1,000 rows of 100 columns.
 */
export const Row = z
  .custom<Record<string, unknown>>(isObject, 'expected an object of values by column name')
  .meta({ type: 'object' });
const Door = PredictRequest.extend({ instances: z.array(Row).min(1).max(MAX_INSTANCES) });

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** POST /v1/endpoints/{endpoint}/predict. */
export async function predictPlain(serve: Serve, request: Request, endpoint: string, call: Call): Promise<Response> {
  const route = await serve.admit(endpoint, request.headers.get('authorization'), call);
  const parsed = Door.safeParse(await readJson(request));
  if (!parsed.success) throw invalidRequest(parsed.error, 'a predict request');
  const { instances, routeKey } = parsed.data;
  const asked = { routeKey, instances: instances.length };
  const { id, variant, answer } = await serve.run(route, asked, (...model) => predictRows(...model, instances), call);
  const body: PredictResponse = {
    endpoint: route.endpoint,
    model: variant.model,
    version: variant.version,
    predictions: answer.predictions.map((prediction, i) => ({ id: predictionId(id, i), ...prediction })),
  };
  return Response.json(body);
}

/** Predicts rows by column name. @throws HttpError 422 when the model knows no columns. */
export function predictRows(
  session: Session,
  manifest: RouteVariant['manifest'],
  instances: readonly Instance[],
): { predictions: Prediction[] } {
  if ('kind' in manifest)
    throw refuse(422, 'NO_COLUMNS', 'this version takes tensors, not rows: POST /v2/models/{endpoint}/infer');
  return { predictions: predict(session, manifest, instances) };
}
