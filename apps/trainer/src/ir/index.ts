/** The door of ir/: building, reading, checking and writing ONNX. */
export { GraphBuilder, type Operation, type Value } from './builder.ts';
export { checkModel } from './check.ts';
export { decodeModel, decodeTensor } from './decode.ts';
export { encodeModel, encodeTensor } from './encode.ts';
export { GraphError, OnnxError } from './errors.ts';
export { inferTypes } from './infer/infer.ts';
export { readMetadata, withMetadata } from './metadata.ts';
export * as op from './ops.ts';
export { sorted } from './sort.ts';
export type { Attribute, DataType, Dim, Graph, Model, Node, RealType, Tensor, ValueInfo, ValueType } from './types.ts';
