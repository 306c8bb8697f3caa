/** Rules of operations that slide a window over the axes behind batch and channel: convolution, pooling, resizing. */
import type { Dim } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { type Dims, type Fact, numbers, sizeOf, tensor, unknownDims } from './fact.ts';
import { compatible, times } from './layout.ts';

/** How a window moves along one axis. */
interface Stride {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

function strides(c: Call, kernel: readonly number[], spatial: number): Stride[] {
  const [step, spread, pads] = [c.ints('strides'), c.ints('dilations'), c.ints('pads')];
  for (const [name, list, length] of [
    ['kernel_shape', kernel, spatial],
    ['strides', step, spatial],
    ['dilations', spread, spatial],
    ['pads', pads, 2 * spatial],
  ] as const)
    if (list && list.length !== length) c.fail(`${name} [${list}] must have ${length} numbers for ${spatial} axes`);
  return kernel.map((size, axis) => ({
    kernel: size,
    stride: step?.[axis] ?? 1,
    dilation: spread?.[axis] ?? 1,
    before: pads?.[axis] ?? 0,
    after: pads?.[axis + spatial] ?? 0,
  }));
}

/** Windows that fit along one axis. */
function windows(c: Call, length: Dim, { kernel, stride, dilation, before, after }: Stride): Dim {
  if (typeof length !== 'number') return null;
  const auto = c.text('auto_pad', 'NOTSET');
  if (auto.startsWith('SAME')) return Math.ceil(length / stride);
  const reach = (kernel - 1) * dilation + 1;
  const free = (auto === 'VALID' ? length : length + before + after) - reach;
  if (free < 0) c.refuse(0, `long enough for a window of ${reach}; an axis has ${length}`);
  if (!c.flag('ceil_mode')) return Math.floor(free / stride) + 1;
  const count = Math.ceil(free / stride) + 1;
  // A window that would start in the padding behind the axis is left out.
  return (count - 1) * stride >= length + before ? count - 1 : count;
}

/** The kernel's lengths, from the attribute or from the weights' shape. */
function kernelOf(c: Call, weights: Dims | null): readonly number[] | null {
  return c.ints('kernel_shape') ?? numbers(weights?.slice(2));
}

function convolution(c: Call, x: Dims | null, w: Dims | null): Dims | null {
  if (!x) return w ? unknownDims(w.length) : null;
  if (w && w.length !== x.length) c.refuse(c.node.type === 'QLinearConv' ? 3 : 1, `of rank ${x.length} like input 0`);
  const groups = c.int('group', 1);
  if (w && !compatible(x[1] ?? null, times(w[1] ?? null, groups)))
    c.refuse(0, `of ${times(w[1] ?? null, groups)} channels, as the weights [${w.map((d) => d ?? '?')}] take`);
  const spatial = x.length - 2;
  const kernel = kernelOf(c, w);
  const lengths = kernel
    ? strides(c, kernel, spatial).map((stride, axis) => windows(c, x[axis + 2] ?? null, stride))
    : x.slice(2).map(() => null);
  return [x[0] ?? null, w?.[0] ?? null, ...lengths];
}

function transposed(c: Call): Fact {
  const [x, w] = [c.shape(0), c.shape(1)];
  const type = c.sameType([0, 1, 2]);
  if (!x || !w) return tensor(type, null);
  const spatial = x.length - 2;
  const kernel = kernelOf(c, w);
  const given = c.ints('output_shape')?.slice(-spatial);
  const extra = c.ints('output_padding');
  const same = c.text('auto_pad', 'NOTSET').startsWith('SAME');
  const lengths = kernel
    ? strides(c, kernel, spatial).map(({ kernel: size, stride, dilation, before, after }, axis): Dim => {
        const length = x[axis + 2] ?? null;
        if (given) return given[axis] ?? null;
        if (typeof length !== 'number') return null;
        if (same) return length * stride;
        return (length - 1) * stride + (extra?.[axis] ?? 0) + (size - 1) * dilation + 1 - before - after;
      })
    : x.slice(2).map(() => null);
  return tensor(type, [x[0] ?? null, times(w[1] ?? null, c.int('group', 1)), ...lengths]);
}

function pool(c: Call): readonly Fact[] {
  const x = c.shape(0);
  const kernel = c.ints('kernel_shape');
  const shape =
    x && kernel
      ? [...x.slice(0, 2), ...strides(c, kernel, x.length - 2).map((one, axis) => windows(c, x[axis + 2] ?? null, one))]
      : null;
  return [tensor(c.type(0), shape), tensor('INT64', shape)];
}

function globalPool(c: Call): Fact {
  const shape = c.shape(0);
  return tensor(c.type(0), shape ? shape.map((dim, axis) => (axis < 2 ? dim : 1)) : null);
}

/** Lengths come from `sizes`, or from `scales` times the input, rounded down. */
function resize(c: Call): Fact {
  const x = c.shape(0);
  if (!x) return tensor(c.type(0), null);
  const [scalesAt, sizesAt] = c.node.type === 'Upsample' || c.opset < 11 ? [1, -1] : [2, 3];
  const axes = (c.ints('axes') ?? [...x.keys()]).map((axis) => c.axis(axis, x.length));
  const sizes = c.values(sizesAt);
  const scales = c.attribute('scales', 'FLOATS')?.value ?? numbers(c.values(scalesAt));
  const policy = c.text('keep_aspect_ratio_policy', 'stretch');
  if (sizes && sizes.length === axes.length) return tensor(c.type(0), sized(x, axes, sizes, policy));
  if (!scales || scales.length !== axes.length) return tensor(c.type(0), unknownDims(x.length));
  const shape = x.map((dim, axis) => {
    const scale = axes.includes(axis) ? (scales[axes.indexOf(axis)] ?? 1) : 1;
    if (scale === 1) return dim;
    return typeof dim === 'number' ? Math.floor(dim * scale) : null;
  });
  return tensor(c.type(0), shape);
}

function sized(x: Dims, axes: readonly number[], sizes: Dims, policy: string): Dims {
  const asked = x.map((dim, axis) => (axes.includes(axis) ? (sizes[axes.indexOf(axis)] ?? null) : dim));
  if (policy === 'stretch') return asked;
  const ratios = axes.map((axis) => {
    const [from, to] = [x[axis], asked[axis]];
    return typeof from === 'number' && typeof to === 'number' ? to / from : null;
  });
  const known = numbers(ratios);
  if (!known) return x.map((dim, axis) => (axes.includes(axis) ? null : dim));
  const scale = policy === 'not_larger' ? Math.min(...known) : Math.max(...known);
  return x.map((dim, axis) => (axes.includes(axis) && typeof dim === 'number' ? Math.round(dim * scale) : dim));
}

function col2im(c: Call): Fact {
  const [image, block] = [c.values(1), c.values(2)];
  const columns = c.dim(0, 1);
  const size = block ? sizeOf(block) : null;
  const channels = typeof columns === 'number' && size ? columns / size : null;
  return tensor(c.type(0), image ? [c.dim(0, 0), channels, ...image] : null);
}

function gridSample(c: Call): Fact {
  const [x, grid] = [c.shape(0), c.shape(1)];
  return tensor(c.type(0), x && grid ? [...x.slice(0, 2), ...grid.slice(1, -1)] : null);
}

function affineGrid(c: Call): Fact {
  const size = c.values(1);
  return tensor(c.type(0), size ? [size[0] ?? null, ...size.slice(2), size.length - 2] : null);
}

function roiAlign(c: Call): Fact {
  const size = [c.int('output_height', 1), c.int('output_width', 1)];
  return tensor(c.type(0), [c.dim(1, 0), c.dim(0, 1), ...size]);
}

/** The rules of this file. */
export const WINDOW: Rules = {
  Conv: (c) => tensor(c.sameType([0, 1, 2]), convolution(c, c.shape(0), c.shape(1))),
  DeformConv: (c) => tensor(c.sameType([0, 1]), convolution(c, c.shape(0), c.shape(1))),
  ConvInteger: (c) => tensor('INT32', convolution(c, c.shape(0), c.shape(1))),
  QLinearConv: (c) => tensor(c.type(7), convolution(c, c.shape(0), c.shape(3))),
  ConvTranspose: transposed,
  AveragePool: pool,
  MaxPool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  Resize: resize,
  Upsample: resize,
  Col2Im: col2im,
  GridSample: gridSample,
  AffineGrid: affineGrid,
  RoiAlign: roiAlign,
};
