/** Convolutions over [N,C,L] and [N,C,H,W]. */
import type { Value } from '../builder.ts';
import { staticShape } from '../shapes.ts';
import { expectLength, expectPair, expectType, int, ints, only, REAL, refuse, refuseArgument } from './check.ts';
import { padsOf, placesOf, reach, type Sliding, windowAttributes, windowOf } from './window.ts';

/** How to convolve; `group` cuts the channels into parts that do not see each other (depthwise: one each). */
export interface ConvOptions extends Sliding {
  readonly bias?: Value | undefined;
  readonly group?: number | undefined;
}

/** x [N,C,...], weight [M,C/group,k...], bias [M] -> [N,M,...] */
export function Conv(x: Value, weight: Value, options: ConvOptions = {}): Value {
  const { bias, group = 1 } = options;
  expectPair('Conv', x, weight);
  expectType('Conv', 0, x, REAL);
  const lengths = staticShape(weight.shape);
  if (!lengths || lengths.length < 3) return refuse('Conv', 1, weight, '[M,C/group,k...] of known lengths');
  const [outputs = 0, perGroup = 0, ...kernel] = lengths;
  const window = windowOf('Conv', x, kernel, options);
  const channels = expectLength('Conv', 0, x, 1);
  if (perGroup * group !== channels) refuse('Conv', 1, weight, `[M,${channels / group},k...] for ${group} groups`);
  if (outputs % group !== 0) refuse('Conv', 1, weight, `[M,C/group,k...] with M a multiple of ${group}`);
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) refuse('Conv', 2, bias, `[${outputs}]`);
  const shape = [x.shape[0] ?? 1, outputs, ...placesOf('Conv', x, window)];
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const attributes = { ...windowAttributes(window), group: int(group) };
  return only(x.graph.emit({ type: 'Conv', inputs, outputs: [{ type: x.type, shape }], attributes }));
}

/** How to convolve the other way round; `outputPadding` makes the last axes longer where a stride left room. */
export interface ConvTransposeOptions extends ConvOptions {
  readonly outputPadding?: readonly number[] | undefined;
}

/** The transpose of Conv as a linear map: x [N,C,...], weight [C,M/group,k...], bias [M] -> [N,M,...] */
export function ConvTranspose(x: Value, weight: Value, options: ConvTransposeOptions = {}): Value {
  const { bias, group = 1 } = options;
  expectPair('ConvTranspose', x, weight);
  expectType('ConvTranspose', 0, x, REAL);
  const lengths = staticShape(weight.shape);
  if (!lengths || lengths.length < 3) return refuse('ConvTranspose', 1, weight, '[C,M/group,k...] of known lengths');
  const [inner = 0, perGroup = 0, ...kernel] = lengths;
  const window = windowOf('ConvTranspose', x, kernel, options);
  if (inner !== expectLength('ConvTranspose', 0, x, 1) || inner % group !== 0)
    refuse('ConvTranspose', 1, weight, `[${x.shape[1]},M/group,k...] for ${group} groups`);
  const outputs = perGroup * group;
  if (bias && bias.shape[0] !== outputs) refuse('ConvTranspose', 2, bias, `[${outputs}]`);
  const outputPadding = options.outputPadding ?? kernel.map(() => 0);
  const spatial = kernel.map((_, axis) => {
    const [before, after] = padsOf(window, axis);
    const steps = expectLength('ConvTranspose', 0, x, axis + 2) - 1;
    const length = steps * (window.strides[axis] ?? 1) + reach(window, axis) + (outputPadding[axis] ?? 0);
    if (length <= before + after) refuseArgument('ConvTranspose', x, `pads [${window.pads}] leave nothing`);
    return length - before - after;
  });
  const shape = [x.shape[0] ?? 1, outputs, ...spatial];
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const attributes = { ...windowAttributes(window), group: int(group), output_padding: ints(outputPadding) };
  return only(x.graph.emit({ type: 'ConvTranspose', inputs, outputs: [{ type: x.type, shape }], attributes }));
}
