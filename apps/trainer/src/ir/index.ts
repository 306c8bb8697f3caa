/** The door of ir/: building, reading and writing ONNX. */
export { GraphBuilder, type Operation, type Value } from './builder.ts';
export { decodeModel } from './decode.ts';
export { encodeModel } from './encode.ts';
export { GraphError, OnnxError } from './errors.ts';
export { readMetadata, withMetadata } from './metadata.ts';
export * as op from './ops.ts';
export type { Attribute, DataType, Dim, Graph, Model, Node, RealType, Tensor, ValueInfo } from './types.ts';
