/** Every operation that graphs are built from: one function per ONNX operator, named as in the standard. */
import type * as everything from './ops.ts';

export * from './ops/activation.ts';
export * from './ops/attention.ts';
export * from './ops/conv.ts';
export { Einsum } from './ops/einsum.ts';
export * from './ops/elementwise.ts';
export * from './ops/layout.ts';
export * from './ops/logic.ts';
export * from './ops/matrix.ts';
export * from './ops/normalise.ts';
export * from './ops/pool.ts';
export * from './ops/recurrent.ts';
export * from './ops/reduce.ts';
export * from './ops/resize.ts';
export * from './ops/scan.ts';
export * from './ops/select.ts';
export * from './ops/tabular.ts';

/** Name of an operation that can be built; tables over operations (gradients, checks) are total over it. */
export type OpName = keyof typeof everything;
