/** What zod says of a request -> the refusal that a client reads. */
import type { z } from 'zod';
import { type HttpError, refuse } from '../errors.ts';

/** 400 INVALID_REQUEST with the place of the first mistake, such as inputs[2].shape[0]. */
export function invalidRequest(error: z.ZodError, expected: string): HttpError {
  const [issue] = error.issues;
  const path = issue?.path.reduce<string>(
    (text, part) => text + (typeof part === 'number' ? `[${part}]` : `.${String(part)}`),
    '',
  );
  return refuse(400, 'INVALID_REQUEST', issue?.message ?? `not ${expected}`, path?.replace(/^\./, '') || undefined);
}
