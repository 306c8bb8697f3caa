/**
 * Field numbers of onnx.proto3, shared by encoder and decoder.
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */
import type { AttributeType } from './types.ts';

/** ModelProto. */
export const MODEL = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  version: 5,
  doc: 6,
  graph: 7,
  opset: 8,
  metadata: 14,
  training: 20,
  functions: 25,
} as const;
/** OperatorSetIdProto. */
export const OPSET = { domain: 1, version: 2 } as const;
/** StringStringEntryProto. */
export const ENTRY = { key: 1, value: 2 } as const;
/** GraphProto. */
export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  doc: 10,
  input: 11,
  output: 12,
  value: 13,
  sparseInitializer: 15,
  metadata: 16,
} as const;
/** FunctionProto. */
export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  doc: 8,
  opset: 9,
  domain: 10,
  attributeProto: 11,
  value: 12,
  overload: 13,
  metadata: 14,
} as const;
/** NodeProto. */
export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  type: 4,
  attribute: 5,
  doc: 6,
  domain: 7,
  overload: 8,
  metadata: 9,
} as const;
/** AttributeProto. */
export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  tp: 14,
  types: 15,
  type: 20,
  reference: 21,
  sparse: 22,
  sparses: 23,
} as const;
/** ValueInfoProto. */
export const VALUE = { name: 1, type: 2, doc: 3, metadata: 4 } as const;
/** TypeProto. */
export const TYPE = { tensor: 1, sequence: 4, map: 5, opaque: 7, sparse: 8, optional: 9 } as const;
/** TypeProto.Tensor. */
export const TENSOR_TYPE = { element: 1, shape: 2 } as const;
/** TypeProto.Sequence and TypeProto.Optional. */
export const ELEMENT = { type: 1 } as const;
/** TypeProto.Map. */
export const MAP = { key: 1, value: 2 } as const;
/** TensorShapeProto. */
export const SHAPE = { dim: 1 } as const;
/** TensorShapeProto.Dimension. */
export const DIM = { value: 1, param: 2 } as const;
/** TensorProto. */
export const TENSOR = {
  dims: 1,
  type: 2,
  segment: 3,
  floats: 4,
  int32s: 5,
  strings: 6,
  int64s: 7,
  name: 8,
  raw: 9,
  doubles: 10,
  uint64s: 11,
  doc: 12,
  external: 13,
  location: 14,
  metadata: 16,
} as const;
/** SparseTensorProto. */
export const SPARSE = { values: 1, indices: 2, dims: 3 } as const;

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES: Record<AttributeType, number> = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
  TENSORS: 9,
  GRAPHS: 10,
  SPARSE_TENSOR: 11,
  SPARSE_TENSORS: 12,
  TYPE: 13,
  TYPES: 14,
};
