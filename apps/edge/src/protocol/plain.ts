/** The plain predict form: {"instances":[{column: value}]} -> {"predictions":[...]}. */
import { z } from 'zod';
import { answerJson } from '../answer.ts';
import { readJson } from '../body.ts';
import {
  MAX_INSTANCES,
  type Prediction,
  PredictRequest,
  type PredictResponse,
  type RouteVariant,
} from '../contract.ts';
import { refuse } from '../errors.ts';
import { type Instance, type PredictLimits, predict } from '../predict/index.ts';
import { type Call, predictionId, type Serve, type Session } from '../serve.ts';
import { invalidRequest } from './issue.ts';
import { versionAsked } from './version.ts';

/**
 * One row, without a look into its cells, which predict reads anyway: the contract's record of unknowns copies every
 * row, 15-30 ms for 1,000 rows of 100 columns.
 */
export const Row = z
  .custom<Record<string, unknown>>(isObject, 'expected an object of values by column name')
  .meta({ type: 'object' });
const Door = PredictRequest.extend({ instances: z.array(Row).min(1).max(MAX_INSTANCES) });

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the schema takes for sure is not given to it: that would copy the list. */
function requestOf(body: unknown): z.infer<typeof Door> {
  if (isObject(body)) {
    const { instances } = body;
    const plain = Array.isArray(instances) && instances.length > 0 && instances.length <= MAX_INSTANCES;
    if (plain && Object.keys(body).length === 1 && instances.every(isObject)) return { instances };
  }
  const parsed = Door.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error, 'a predict request');
  return parsed.data;
}

/** POST /v1/endpoints/{endpoint}/predict. */
export async function predictPlain(serve: Serve, request: Request, endpoint: string, call: Call): Promise<Response> {
  const route = await serve.admit(endpoint, request.headers.get('authorization'), call);
  const { limits } = route.settings;
  const { instances, routeKey } = requestOf(await readJson(request, limits.bodyBytes));
  const asked = { version: versionAsked(request), routeKey, instances: instances.length };
  const { id, variant, answer } = await serve.run(
    route,
    asked,
    (...model) => predictRows(...model, instances, limits),
    call,
  );
  const body: PredictResponse = {
    endpoint: route.endpoint,
    revision: route.revision,
    model: variant.model,
    version: variant.version,
    predictions: answer.predictions.map((prediction, i) => ({ id: predictionId(id, i), ...prediction })),
  };
  return answerJson(body, call);
}

/** Predicts rows by column name. @throws HttpError 422 when the model knows no columns. */
export function predictRows(
  session: Session,
  manifest: RouteVariant['manifest'],
  instances: readonly Instance[],
  limits: PredictLimits,
): { predictions: Prediction[]; instances: readonly Instance[] } {
  if ('kind' in manifest)
    throw refuse(422, 'NO_COLUMNS', 'this version takes tensors, not rows: POST /v2/models/{endpoint}/infer');
  return { predictions: predict(session, manifest, instances, limits), instances };
}
