/** Every refusal as a client sees it: status + {"error":{code,message,field?}}. The unexpected is masked. */
import type { ErrorBody } from './contract.ts';
import { isOutOfMemory, ORT_CODE, OrtError } from './engine/index.ts';
import { PredictError } from './predict/index.ts';

export interface Refusal {
  status: number;
  code: string;
  message: string;
  field?: string;
  headers?: Record<string, string>;
}

/** An expected failure with its answer. */
export class HttpError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'HttpError';
    this.refusal = refusal;
  }
}

/** A shorter way to write the usual refusal. */
export function refuse(status: number, code: string, message: string, field?: string): HttpError {
  return new HttpError({ status, code, message, ...(field === undefined ? {} : { field }) });
}

/** What a client is told about an error of any kind. Only `INTERNAL` hides the reason, which the log has. */
export function refusalOf(error: unknown, requestId: string): Refusal {
  if (error instanceof HttpError) return error.refusal;
  if (error instanceof PredictError)
    return { status: error.status, code: error.code, message: error.message, field: error.field };
  if (error instanceof OrtError && error.code === ORT_CODE.ABORTED)
    return unavailable('RUNTIME_RESET', 'the runtime was reset by a fault; try again');
  if (isOutOfMemory(error))
    return unavailable('OUT_OF_MEMORY', 'this batch of this model does not fit the memory: send fewer, or try again');
  return { status: 500, code: 'INTERNAL', message: `an unexpected error; its request id is ${requestId}` };
}

/** 503 with Retry-After: the same request may succeed in a moment. */
export function unavailable(code: string, message: string): Refusal {
  return { status: 503, code, message, headers: { 'retry-after': '1' } };
}

/** The refusal as a response. */
export function errorResponse({ status, code, message, field, headers }: Refusal): Response {
  const body: ErrorBody = { error: { code, message, ...(field === undefined ? {} : { field }) } };
  return Response.json(body, { status, ...(headers && { headers }) });
}

/** The refusal as the Open Inference Protocol has it: one text, so the place goes into it. */
export function v2ErrorResponse({ status, message, headers }: Refusal): Response {
  return Response.json({ error: message }, { status, ...(headers && { headers }) });
}
