/** An inference request as it comes over HTTP -> typed tensors. Knows no model. */
import { readBody } from '../body.ts';
import { HttpError, refuse } from '../errors.ts';
import type { NamedTensor } from './columns.ts';
import { parseExactJson } from './exact-json.ts';
import { invalidRequest } from './issue.ts';
import { tensorFromBytes } from './tensor-binary.ts';
import { tensorFromJson } from './tensor-json.ts';
import { type InferInput, InferRequest } from './v2-schema.ts';

/** The header of the binary tensor data extension: bytes of JSON before the tensors. */
export const HEADER_LENGTH = 'inference-header-content-length';

export interface Inference {
  request: InferRequest;
  tensors: NamedTensor[];
}

/** Reads a whole request. @throws HttpError 400, 413 or 415. */
export async function readInference(request: Request, maxBytes?: number | null): Promise<Inference> {
  checkEncoding(request.headers);
  const body = await readBody(request, maxBytes);
  const length = headerLength(request.headers.get(HEADER_LENGTH), body.byteLength);
  const parsed = InferRequest.safeParse(parseExactJson(body.subarray(0, length)));
  if (!parsed.success) {
    // /v2 errors have no field: the place goes into the text.
    const { refusal } = invalidRequest(parsed.error, 'an inference request');
    throw new HttpError({ ...refusal, message: `${refusal.field ?? 'the request'}: ${refusal.message}` });
  }
  const twice = repeated(parsed.data.inputs) ?? repeated(parsed.data.outputs ?? []);
  if (twice !== undefined) throw refuse(400, 'INVALID_REQUEST', `"${twice}" is named twice`);
  return { request: parsed.data, tensors: tensorsOf(parsed.data.inputs, body.subarray(length)) };
}

/** The content type says nothing that the header of the extension does not: clients send JSON under many, or none. */
function checkEncoding(headers: Headers): void {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    throw refuse(415, 'UNSUPPORTED_ENCODING', `expected a body without content-encoding, got ${encoding.slice(0, 40)}`);
}

function headerLength(header: string | null, bodyLength: number): number {
  if (header === null) return bodyLength;
  const length = /^\d{1,15}$/.test(header) ? Number(header) : Number.POSITIVE_INFINITY;
  if (length <= bodyLength) return length;
  const expected = `expected Inference-Header-Content-Length of 0 to ${bodyLength}, the body's length`;
  throw refuse(400, 'INVALID_HEADER_LENGTH', `${expected}, got ${header.slice(0, 40)}`);
}

function repeated(named: readonly { name: string }[]): string | undefined {
  const seen = new Set<string>();
  return named.find(({ name }) => seen.size === seen.add(name).size)?.name;
}

/** Binary tensors lie one after the other in the order of their inputs. */
function tensorsOf(inputs: readonly InferInput[], binary: Uint8Array): NamedTensor[] {
  let at = 0;
  const tensors = inputs.map(({ name, datatype, shape, parameters, data }): NamedTensor => {
    const where = `input "${name}"`;
    if (data !== undefined) return { name, tensor: tensorFromJson(datatype, shape, data, where) };
    const size = parameters?.binary_data_size ?? 0;
    if (at + size > binary.byteLength)
      throw refuse(
        400,
        'INVALID_TENSOR',
        `${where}: expected ${size} bytes behind the JSON, got ${binary.byteLength - at}`,
      );
    const bytes = binary.subarray(at, at + size);
    at += size;
    return { name, tensor: tensorFromBytes(datatype, shape, bytes, where) };
  });
  if (at !== binary.byteLength)
    throw refuse(
      400,
      'INVALID_TENSOR',
      `expected ${at} bytes behind the JSON, as the inputs say, got ${binary.byteLength}`,
    );
  return tensors;
}
