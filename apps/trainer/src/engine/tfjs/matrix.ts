/** Kernels of products, reductions and what is made of them. */
import { type Call, fromFront, type Kernels } from './call.ts';
import type { Tensor, Tf } from './tensorflow.ts';

/** Products of matrices in all leading axes. TensorFlow.js forgets to sum the gradient of a broadcast operand. */
function matMul({ tf }: { tf: Tf }, a: Tensor, b: Tensor): Tensor {
  const last = b.shape.at(-1) ?? 1;
  if (b.rank === 2 && a.rank > 2) {
    const rows = tf.reshape(a, [-1, a.shape.at(-1) ?? 1]);
    return tf.reshape(tf.matMul(rows, b), [...a.shape.slice(0, -1), last]);
  }
  const batch = tf.broadcastTo(tf.zeros(a.shape.slice(0, -2)), jointBatch(a, b)).shape;
  const wide = (x: Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
  return tf.matMul(wide(a), wide(b));
}

function jointBatch(a: Tensor, b: Tensor): number[] {
  const [x, y] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const rank = Math.max(x.length, y.length);
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(x[axis - rank + x.length] ?? 1, y[axis - rank + y.length] ?? 1),
  );
}

function gemm(call: Call): Tensor {
  const { tf } = call;
  const product = tf.matMul(call.input(0), call.input(1), call.int('transA', 0) === 1, call.int('transB', 0) === 1);
  const [alpha, beta, c] = [call.float('alpha', 1), call.float('beta', 1), call.optional(2)];
  const scaled = alpha === 1 ? product : tf.mul(product, alpha);
  return c ? tf.add(scaled, beta === 1 ? c : tf.mul(c, beta)) : scaled;
}

/** Axes as an input (since opset 13 or 18) or as an attribute; none means all. */
function reduce(f: (tf: Tf, x: Tensor, axes: number[], keep: boolean) => Tensor): Kernels[string] {
  return (call) => {
    const x = call.input(0);
    const given = call.known(1) ?? call.ints('axes') ?? [];
    if (given.length === 0 && call.int('noop_with_empty_axes', 0) === 1) return call.tf.clone(x);
    const axes = (given.length > 0 ? given : x.shape.map((_, axis) => axis)).map((axis) => fromFront(axis, x.rank));
    return f(call.tf, x, axes, call.int('keepdims', 1) === 1);
  };
}

export const MATRIX: Kernels = {
  MatMul: (call) => matMul(call, call.input(0), call.input(1)),
  Gemm: gemm,
  ReduceSum: reduce((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  ReduceMean: reduce((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  ReduceMax: reduce((tf, x, axes, keep) => tf.max(x, axes, keep)),
  ReduceMin: reduce((tf, x, axes, keep) => tf.min(x, axes, keep)),
  ReduceSumSquare: reduce((tf, x, axes, keep) => tf.sum(tf.mul(x, x), axes, keep)),
  ReduceL2: reduce((tf, x, axes, keep) => tf.sqrt(tf.sum(tf.mul(x, x), axes, keep))),
  Softmax: (call) => call.tf.exp(logSoftmax(call)),
  LogSoftmax: logSoftmax,
};

function logSoftmax(call: Call): Tensor {
  const x = call.input(0);
  const axis = fromFront(call.int('axis', -1), x.rank);
  return call.tf.sub(x, call.tf.logSumExp(x, axis, true));
}
