/** The plain predict form: {"instances":[{column: value}]} -> {"predictions":[...]}. */
import { z } from 'zod';
import { readJson } from '../body.ts';
import { MAX_INSTANCES, PredictRequest } from '../contract.ts';
import { refuse } from '../errors.ts';
import type { Call, Serve } from '../serve.ts';

/**
 * PredictRequest without a look into the cells, which predict reads anyway: the contract's record of unknowns copies
 * every row, 15-30 ms for 1,000 rows of 100 columns.
 */
const Door = PredictRequest.extend({
  instances: z
    .array(z.custom<Record<string, unknown>>(isObject, 'expected an object of values by column name'))
    .min(1)
    .max(MAX_INSTANCES),
});

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** POST /v1/endpoints/{endpoint}/predict. */
export async function predictPlain(serve: Serve, request: Request, endpoint: string, call: Call): Promise<Response> {
  const route = await serve.admit(endpoint, request.headers.get('authorization'), call);
  const parsed = Door.safeParse(await readJson(request));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.reduce<string>(
      (text, part) => text + (typeof part === 'number' ? `[${part}]` : `.${String(part)}`),
      '',
    );
    throw refuse(
      400,
      'INVALID_REQUEST',
      issue?.message ?? 'not a predict request',
      path?.replace(/^\./, '') || undefined,
    );
  }
  return Response.json(await serve.predict(route, parsed.data, call));
}
