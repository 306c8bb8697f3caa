/**
 * Finite-difference check of gradients: the slope that the graph computes against the slope that is measured by
 * moving each input element. Knows no engine: how a graph is run is an argument.
 */
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { sizeOf, staticShape } from '../ir/shapes.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import type { RealType, Tensor } from '../ir/types.ts';
import { type GradientOptions, gradients } from './gradients.ts';

/** Loads an ONNX file and answers a function that runs it. */
export type LoadGraph = (
  model: Uint8Array,
) => Promise<(inputs: readonly Tensor[]) => Promise<ReadonlyMap<string, Tensor>>>;

/** A function whose gradients are checked, at one point. */
export interface GradientCase {
  /** DOUBLE where the runtime has the operation in it: the measured slope is then good to about nine digits. */
  readonly type: RealType;
  /** Step of the difference quotient, where the usual one would cross kinks (relu, max). */
  readonly step?: number;
  readonly inputs: readonly { readonly dims: readonly number[]; readonly values: readonly number[] }[];
  readonly build: (...inputs: Value[]) => Value | readonly Value[];
}

/** Step of the difference quotient: the cube root of the type's precision, where rounding and curvature err alike. */
const STEP: Record<RealType, number> = { DOUBLE: 1e-5, FLOAT: 1e-2 };

/** The largest difference |computed - measured| / max(1, |measured|) over all elements of all inputs. */
export async function checkGradient(
  gradientCase: GradientCase,
  load: LoadGraph,
  options: GradientOptions = {},
): Promise<number> {
  const { type, inputs } = gradientCase;
  const run = await load(encodeModel(probe(gradientCase, options).model()));
  const at = async (points: readonly (readonly number[])[]) =>
    run(points.map((values, index) => tensorOf(`x${index}`, type, inputs[index]?.dims ?? [], values)));
  const points = inputs.map(({ values }) => values);
  const computed = await at(points);
  let worst = 0;
  for (const [index, values] of points.entries()) {
    const slopes = numbersOfOutput(computed, `d${index}`);
    for (const [element, value] of values.entries()) {
      const lossAt = async (moved: number) => {
        const loss = await at(points.with(index, values.with(element, moved)));
        return numbersOfOutput(loss, 'loss')[0] ?? Number.NaN;
      };
      const h = gradientCase.step ?? STEP[type];
      const measured = ((await lossAt(value + h)) - (await lossAt(value - h))) / (2 * h);
      const difference = Math.abs((slopes[element] ?? Number.NaN) - measured) / Math.max(1, Math.abs(measured));
      worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    }
  }
  return worst;
}

/**
 * The graph x0.. -> loss, d0..; the loss weighs every output element differently, so that none can stand in for
 * another.
 */
function probe({ type, inputs, build }: GradientCase, options: GradientOptions): GraphBuilder {
  const g = new GraphBuilder('probe');
  const xs = inputs.map(({ dims }, index) => g.input(`x${index}`, type, dims));
  const built = build(...xs);
  const outputs: readonly Value[] = 'name' in built ? [built] : built;
  const losses = outputs.map((output, which) => {
    const lengths = staticShape(output.shape) ?? [];
    const weights = Array.from({ length: sizeOf(lengths) }, (_, index) => Math.cos(1 + index + 10 * which));
    return op.ReduceSum(op.Mul(output, g.constant(type, lengths, weights)));
  });
  const loss = losses.reduce((sum, next) => op.Add(sum, next));
  g.output('loss', loss);
  gradients(loss, xs, options).forEach((gradient, index) => {
    g.output(`d${index}`, gradient);
  });
  return g;
}

function numbersOfOutput(outputs: ReadonlyMap<string, Tensor>, name: string): number[] {
  const tensor = outputs.get(name);
  if (!tensor) throw new GraphError(`the probe has no output "${name}"`);
  return numbersOf(tensor);
}
