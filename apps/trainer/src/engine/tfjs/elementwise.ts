/** Kernels on corresponding elements. */
import type { Call, Kernels } from './call.ts';
import type { Tensor } from './tensorflow.ts';

/** An operator of one input. */
const unary = (f: (call: Call, x: Tensor) => Tensor) => (call: Call) => f(call, call.input(0));
/** An operator of two inputs that broadcast. */
const binary = (f: (call: Call, a: Tensor, b: Tensor) => Tensor) => (call: Call) =>
  f(call, call.input(0), call.input(1));
/** Left to right over any number of inputs. */
const fold = (f: (call: Call, a: Tensor, b: Tensor) => Tensor) => (call: Call) =>
  call.inputs.reduce((a, b) => f(call, a, b));

/**
 * Product modulo 2^32. TensorFlow.js multiplies integers as doubles, which lose the low bits of a product beyond 2^53,
 * so it is put together from products below that: a = h 2^16 + l, each sum wrapping as int32 does.
 */
function wrappedProduct({ tf }: Call, a: Tensor, b: Tensor): Tensor {
  const h = tf.floorDiv(a, tf.scalar(65_536, 'int32'));
  const l = tf.sub(a, tf.mul(h, tf.scalar(65_536, 'int32')));
  return tf.add(tf.mul(tf.mul(h, b), tf.scalar(65_536, 'int32')), tf.mul(l, b));
}

const GELU = Math.sqrt(2 / Math.PI);

export const ELEMENTWISE: Kernels = {
  Add: binary(({ tf }, a, b) => tf.add(a, b)),
  Sub: binary(({ tf }, a, b) => tf.sub(a, b)),
  Mul: binary((call, a, b) => (a.dtype === 'int32' ? wrappedProduct(call, a, b) : call.tf.mul(a, b))),
  Div: binary((call, a, b) =>
    a.dtype === 'int32' ? call.fail('integers are not divided here; cast them first') : call.tf.div(a, b),
  ),
  Pow: binary(({ tf }, a, b) => tf.pow(a, b)),
  Min: fold(({ tf }, a, b) => tf.minimum(a, b)),
  Max: fold(({ tf }, a, b) => tf.maximum(a, b)),
  Neg: unary(({ tf }, x) => tf.neg(x)),
  Abs: unary(({ tf }, x) => tf.abs(x)),
  Exp: unary(({ tf }, x) => tf.exp(x)),
  Log: unary(({ tf }, x) => tf.log(x)),
  Sqrt: unary(({ tf }, x) => tf.sqrt(x)),
  Sin: unary(({ tf }, x) => tf.sin(x)),
  Cos: unary(({ tf }, x) => tf.cos(x)),
  Sign: unary(({ tf }, x) => tf.sign(x)),
  Reciprocal: unary(({ tf }, x) => tf.reciprocal(x)),
  Erf: unary(({ tf }, x) => tf.erf(x)),
  Relu: unary(({ tf }, x) => tf.relu(x)),
  Sigmoid: unary(({ tf }, x) => tf.sigmoid(x)),
  Tanh: unary(({ tf }, x) => tf.tanh(x)),
  Softplus: unary(({ tf }, x) => tf.softplus(x)),
  LeakyRelu: unary((call, x) => call.tf.leakyRelu(x, call.float('alpha', 0.01))),
  Elu: unary((call, x) => {
    const { tf } = call;
    return tf.add(tf.relu(x), tf.mul(tf.sub(tf.exp(tf.minimum(x, 0)), 1), call.float('alpha', 1)));
  }),
  Swish: unary((call, x) => call.tf.mul(x, call.tf.sigmoid(call.tf.mul(x, call.float('alpha', 1))))),
  HardSigmoid: unary((call, x) =>
    call.tf.clipByValue(call.tf.add(call.tf.mul(x, call.float('alpha', 0.2)), call.float('beta', 0.5)), 0, 1),
  ),
  HardSwish: unary(({ tf }, x) => tf.mul(x, tf.clipByValue(tf.add(tf.div(x, 6), 0.5), 0, 1))),
  Gelu: unary((call, x) => {
    const { tf } = call;
    const inner =
      call.text('approximate', 'none') === 'tanh'
        ? tf.tanh(tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715)), GELU))
        : tf.erf(tf.mul(x, Math.SQRT1_2));
    return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
  }),
  Clip: (call) => {
    const [low, high] = [call.optional(1), call.optional(2)];
    const raised = low ? call.tf.maximum(call.input(0), low) : call.input(0);
    return high ? call.tf.minimum(raised, high) : raised;
  },
  Identity: unary(({ tf }, x) => tf.clone(x)),
  Equal: binary(({ tf }, a, b) => tf.equal(a, b)),
  Greater: binary(({ tf }, a, b) => tf.greater(a, b)),
  GreaterOrEqual: binary(({ tf }, a, b) => tf.greaterEqual(a, b)),
  Less: binary(({ tf }, a, b) => tf.less(a, b)),
  LessOrEqual: binary(({ tf }, a, b) => tf.lessEqual(a, b)),
  And: binary(({ tf }, a, b) => tf.logicalAnd(a, b)),
  Or: binary(({ tf }, a, b) => tf.logicalOr(a, b)),
  Not: unary(({ tf }, x) => tf.logicalNot(x)),
  IsNaN: unary(({ tf }, x) => tf.isNaN(x)),
  Where: (call) => call.tf.where(call.input(0), call.input(1), call.input(2)),
};
