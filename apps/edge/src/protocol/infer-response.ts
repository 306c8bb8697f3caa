/** Outputs of a model -> the inference response: JSON, or JSON with the tensors' bytes behind it. Knows no model. */
import { type Answering, answer } from '../answer.ts';
import type { Tensor } from '../engine/index.ts';
import { classify } from './classification.ts';
import { DATATYPE } from './datatype.ts';
import { HEADER_LENGTH } from './infer-request.ts';
import type { Signature } from './signature.ts';
import { byName } from './signature.ts';
import { bytesOfTensor } from './tensor-binary.ts';
import { jsonOfTensor } from './tensor-json.ts';
import type { InferRequest, InferResponse } from './v2-schema.ts';

/** How one output is to be returned. */
export interface WantedOutput {
  name: string;
  binary: boolean;
  classification: number | undefined;
  labels: readonly string[] | undefined;
}

/** The requested outputs, or all. @throws HttpError 400 UNKNOWN_OUTPUT. */
export function wantedOutputs(request: InferRequest, { outputs }: Signature): WantedOutput[] {
  const binary = request.parameters?.binary_data_output ?? false;
  // An empty list asks for nothing in particular, as clients send it when they were given no outputs.
  const asked = request.outputs?.length
    ? request.outputs
    : outputs.map(({ name }) => ({ name, parameters: undefined }));
  return asked.map(({ name, parameters }) => ({
    name,
    binary: parameters?.binary_data ?? binary,
    classification: parameters?.classification,
    labels: byName('output', outputs, name).labels,
  }));
}

/** An output in its final form. */
export interface FinishedOutput {
  name: string;
  tensor: Tensor;
  /** The JSON text of its data, or null: it goes as bytes. */
  json: string | null;
}

/** Classifies where that is asked for, and writes the JSON. @throws HttpError for what cannot be returned so. */
export function finishOutput({ name, binary, classification, labels }: WantedOutput, tensor: Tensor): FinishedOutput {
  const final = classification === undefined ? tensor : classify(name, tensor, labels, classification);
  return { name, tensor: final, json: binary ? null : jsonOfTensor(final, `output "${name}"`) };
}

/** The response; `head` is all of it but the outputs. */
export function inferResponse(
  head: Omit<InferResponse, 'outputs'>,
  outputs: readonly FinishedOutput[],
  call: Answering,
): Response {
  const parts: Uint8Array[] = [];
  const described = outputs.map(({ name, tensor, json }) => {
    const output = { name, shape: tensor.dims, datatype: DATATYPE[tensor.type] };
    if (json !== null) return withMember(JSON.stringify(output), 'data', json);
    const bytes = bytesOfTensor(tensor);
    parts.push(bytes);
    return JSON.stringify({ ...output, parameters: { binary_data_size: bytes.byteLength } });
  });
  const text = withMember(JSON.stringify(head), 'outputs', `[${described.join(',')}]`);
  if (parts.length === 0) return answer(text, 'application/json', call);
  const json = new TextEncoder().encode(text);
  call.headers[HEADER_LENGTH] = String(json.byteLength);
  return answer(joined([json, ...parts]), 'application/octet-stream', call);
}

/** INT64 has no JavaScript number, so JSON texts are put together by hand. */
function withMember(object: string, name: string, json: string): string {
  return `${object.slice(0, -1)},${JSON.stringify(name)}:${json}}`;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
