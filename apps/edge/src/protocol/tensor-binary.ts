/**
 * The binary tensor data extension: little-endian, row-major, without padding; BOOL is a byte of 0 or 1, a BYTES
 * element four bytes of length and then its bytes, which are UTF-8 here. Knows no model.
 */
import type { Datatype } from '../contract.ts';
import type { Tensor } from '../engine/index.ts';
import { copyTensor, elementCount, TYPE_CODE } from '../engine/tensor.ts';
import { refuse } from '../errors.ts';
import { ENGINE_TYPE, WIDTH } from './datatype.ts';

const LENGTH_BYTES = 4;

/** Reads a tensor's bytes. `where` begins error messages. @throws HttpError 400 INVALID_TENSOR. */
export function tensorFromBytes(datatype: Datatype, dims: readonly number[], bytes: Uint8Array, where: string): Tensor {
  const count = elementCount(dims);
  if (datatype === 'BYTES') return { type: 'string', dims, data: texts(bytes, count, where) };
  const expected = count * WIDTH[datatype];
  if (bytes.byteLength !== expected)
    throw invalid(where, `expected ${expected} bytes for ${datatype} of shape [${dims}], got ${bytes.byteLength}`);
  // Typed arrays are little-endian wherever workerd and Node run.
  const tensor = copyTensor(bytes, TYPE_CODE[ENGINE_TYPE[datatype]], 0, dims);
  if (!tensor) throw new Error(`the engine carries no ${datatype}`);
  if (tensor.type === 'bool') {
    const at = tensor.data.findIndex((byte) => byte > 1);
    if (at !== -1) throw invalid(where, `expected bytes of 0 or 1, got ${tensor.data[at]} at [${at}]`);
  }
  return tensor;
}

/** The bytes of a tensor. */
export function bytesOfTensor(tensor: Tensor): Uint8Array {
  if (tensor.type !== 'string') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const encoded = tensor.data.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(encoded.reduce((sum, part) => sum + LENGTH_BYTES + part.byteLength, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of encoded) {
    view.setUint32(at, part.byteLength, true);
    bytes.set(part, at + LENGTH_BYTES);
    at += LENGTH_BYTES + part.byteLength;
  }
  return bytes;
}

function texts(bytes: Uint8Array, count: number, where: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const elements: string[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const end = at + LENGTH_BYTES <= bytes.byteLength ? at + LENGTH_BYTES + view.getUint32(at, true) : Infinity;
    if (end > bytes.byteLength) throw invalid(where, `the length of element [${elements.length}] leads past the end`);
    try {
      elements.push(decoder.decode(bytes.subarray(at + LENGTH_BYTES, end)));
    } catch {
      throw invalid(where, `expected UTF-8, element [${elements.length}] is not`);
    }
    at = end;
  }
  if (elements.length !== count) throw invalid(where, `expected ${count} elements of BYTES, got ${elements.length}`);
  return elements;
}

const invalid = (where: string, message: string) => refuse(400, 'INVALID_TENSOR', `${where}: ${message}`);
