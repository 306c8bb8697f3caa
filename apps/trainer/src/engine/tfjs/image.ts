/**
 * Kernels of convolutions, pools and normalisations. ONNX has channels in front, TensorFlow.js behind: images are
 * turned around each of them. Sequences are images of height 1.
 */
import { type Call, fromFront, type Kernels } from './call.ts';
import type { Tensor, Tf } from './tensorflow.ts';

type Pads = [[0, 0], [number, number], [number, number], [0, 0]];

/** A window over two axes. */
interface Window {
  readonly kernel: [number, number];
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly pads: Pads;
}

/** [N,C,L] or [N,C,H,W] -> [N,H,W,C], computed on, and back. */
function channelsLast(call: Call, x: Tensor, f: (image: Tensor) => Tensor): Tensor {
  const { tf } = call;
  if (x.rank !== 3 && x.rank !== 4) call.fail(`an input of ${x.rank} axes; expected [N,C,L] or [N,C,H,W]`);
  const [n = 1, c = 1, ...spatial] = x.shape;
  const image = x.rank === 3 ? tf.reshape(x, [n, c, 1, ...spatial]) : x;
  const y = tf.transpose(f(tf.transpose(image, [0, 2, 3, 1])), [0, 3, 1, 2]);
  return x.rank === 3 ? tf.squeeze(y, [2]) : y;
}

function windowOf(call: Call, kernel: readonly number[]): Window {
  if (!['NOTSET', 'VALID'].includes(call.text('auto_pad', 'NOTSET'))) call.fail('auto_pad; write the pads out');
  if (call.int('ceil_mode', 0) !== 0) call.fail('ceil_mode');
  const two = (values: readonly number[] | null, otherwise: number): [number, number] =>
    kernel.length === 1 ? [otherwise, values?.[0] ?? otherwise] : [values?.[0] ?? otherwise, values?.[1] ?? otherwise];
  const pads = call.ints('pads') ?? [];
  const count = kernel.length;
  const pair = (axis: number): [number, number] => [pads[axis] ?? 0, pads[axis + count] ?? 0];
  return {
    kernel: two(kernel, 1),
    strides: two(call.ints('strides'), 1),
    dilations: two(call.ints('dilations'), 1),
    pads: count === 1 ? [[0, 0], [0, 0], pair(0), [0, 0]] : [[0, 0], pair(0), pair(1), [0, 0]],
  };
}

function conv(call: Call): Tensor {
  const { tf } = call;
  const [x, weight, bias] = [call.input(0), call.input(1), call.optional(2)];
  const [outputs = 1, inputs = 1, ...spatial] = weight.shape;
  const window = windowOf(call, spatial);
  // [O,I,h,w] -> [h,w,I,O]
  const kernel = tf.transpose(tf.reshape(weight, [outputs, inputs, ...window.kernel]), [2, 3, 1, 0]);
  const groups = call.int('group', 1);
  return channelsLast(call, x, (image) => {
    const y =
      groups === 1 ? convolved(tf, image, kernel, window) : grouped(tf, { image, kernel, groups, inputs }, window);
    return bias ? tf.add(y, bias) : y;
  });
}

function convolved(tf: Tf, image: Tensor, kernel: Tensor, { strides, pads, dilations }: Window): Tensor {
  return tf.conv2d(image as never, kernel as never, strides, pads as never, 'NHWC', dilations);
}

function grouped(tf: Tf, o: { image: Tensor; kernel: Tensor; groups: number; inputs: number }, window: Window): Tensor {
  const images = tf.split(o.image, o.groups, 3);
  const kernels = tf.split(o.kernel, o.groups, 3);
  const parts = images.map((image, group) => convolved(tf, image, kernels[group] ?? o.kernel, window));
  return tf.concat(parts, 3);
}

/** Same padding on all sides has a gradient everywhere; other paddings are put there first. */
function maxPool(call: Call): Tensor {
  const { tf } = call;
  const { kernel, strides, pads, dilations } = windowOf(call, call.ints('kernel_shape') ?? []);
  if (dilations.some((dilation) => dilation !== 1)) call.fail('dilations');
  const padded = pads.some(([before, after]) => before + after > 0);
  return channelsLast(call, call.input(0), (image) => {
    const wide = padded ? tf.pad(image, pads, Number.NEGATIVE_INFINITY) : image;
    return tf.maxPool(wide as never, kernel, strides, 'valid');
  });
}

function averagePool(call: Call): Tensor {
  const { tf } = call;
  const { kernel, strides, pads } = windowOf(call, call.ints('kernel_shape') ?? []);
  const sums = (image: Tensor) =>
    tf.mul(tf.avgPool(tf.pad(image, pads) as never, kernel, strides, 'valid'), kernel[0] * kernel[1]);
  return channelsLast(call, call.input(0), (image) => {
    if (call.int('count_include_pad', 0) === 1) return tf.div(sums(image), kernel[0] * kernel[1]);
    return tf.div(sums(image), sums(tf.ones(image.shape)));
  });
}

/** (x - mean) / sqrt(variance + epsilon) over these axes, with what it was made of. */
function normalised({ tf }: { tf: Tf }, x: Tensor, axes: number[], epsilon: number) {
  const mean = tf.mean(x, axes, true);
  const centred = tf.sub(x, mean);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), axes, true), epsilon));
  return { y: tf.mul(centred, inverse), mean, inverse };
}

/** A vector over the channels [C] of [N,C,...]. */
function wide(tf: Tf, vector: Tensor, rank: number): Tensor {
  return tf.reshape(vector, [1, vector.size, ...Array.from({ length: rank - 2 }, () => 1)]);
}

const lastAxes = (call: Call, x: Tensor) => {
  const axis = fromFront(call.int('axis', -1), x.rank);
  return x.shape.map((_, index) => index).filter((index) => index >= axis);
};

export const IMAGE: Kernels = {
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (call) => call.tf.mean(call.input(0), spatialAxes(call.input(0)), true),
  GlobalMaxPool: (call) => call.tf.max(call.input(0), spatialAxes(call.input(0)), true),
  BatchNormalization: (call) => {
    const { tf } = call;
    if (call.int('training_mode', 0) !== 0) call.fail('training_mode');
    const x = call.input(0);
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) => wide(tf, call.input(index), x.rank));
    if (!scale || !bias || !mean || !variance) return call.fail('too few inputs');
    const inverse = tf.rsqrt(tf.add(variance, call.float('epsilon', 1e-5)));
    return tf.add(tf.mul(tf.sub(x, mean), tf.mul(inverse, scale)), bias);
  },
  LayerNormalization: (call) => {
    const { tf } = call;
    const x = call.input(0);
    const { y, mean, inverse } = normalised(call, x, lastAxes(call, x), call.float('epsilon', 1e-5));
    const [scaled, bias] = [tf.mul(y, call.input(1)), call.optional(2)];
    return [bias ? tf.add(scaled, bias) : scaled, mean, inverse];
  },
  RMSNormalization: (call) => {
    const { tf } = call;
    const x = call.input(0);
    const square = tf.mean(tf.mul(x, x), lastAxes(call, x), true);
    return tf.mul(tf.mul(x, tf.rsqrt(tf.add(square, call.float('epsilon', 1e-5)))), call.input(1));
  },
  InstanceNormalization: (call) => {
    const { tf } = call;
    const x = call.input(0);
    const { y } = normalised(call, x, spatialAxes(x), call.float('epsilon', 1e-5));
    return tf.add(tf.mul(y, wide(tf, call.input(1), x.rank)), wide(tf, call.input(2), x.rank));
  },
  GroupNormalization: (call) => {
    const { tf } = call;
    const x = call.input(0);
    const [n = 1, channels = 1] = x.shape;
    const groups = call.int('num_groups', 1);
    const rows = tf.reshape(x, [n, groups, -1]);
    const y = tf.reshape(normalised(call, rows, [2], call.float('epsilon', 1e-5)).y, x.shape);
    if (call.input(1).size !== channels) call.fail('a scale per group (opset 18); a scale per channel is expected');
    return tf.add(tf.mul(y, wide(tf, call.input(1), x.rank)), wide(tf, call.input(2), x.rank));
  },
};

function spatialAxes(x: Tensor): number[] {
  return x.shape.map((_, axis) => axis).slice(2);
}
