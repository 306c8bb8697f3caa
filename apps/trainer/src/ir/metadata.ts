/** The metadata_props of an ONNX file: how an artifact says what it is (classes, threshold, digests). */
import { decodeModel } from './decode.ts';
import type { Model } from './types.ts';

/** Keys and values that an ONNX file carries. @throws OnnxError for bytes that are not a model. */
export function readMetadata(bytes: Uint8Array): ReadonlyMap<string, string> {
  return decodeModel(bytes).metadata;
}

/**
 * The model with these entries added; an existing key is replaced, and keys are sorted so that equal sets give equal
 * bytes.
 */
export function withMetadata(model: Model, entries: Iterable<readonly [string, string]>): Model {
  const merged = new Map([...model.metadata, ...entries]);
  const sorted = [...merged].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...model, metadata: new Map(sorted) };
}
