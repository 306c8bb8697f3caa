/** Rules of operations that fold axes. */
import type { Call, Rule, Rules } from './call.ts';
import { type Dims, type Fact, numbers, tensor, unknownDims } from './fact.ts';

const fold =
  (compute?: (values: readonly number[]) => number): Rule =>
  (c) => {
    const shape = c.shape(0);
    const axes = c.list('axes', 1);
    const keep = c.flag('keepdims', true);
    if (!shape || axes === null) return tensor(c.type(0), shape && keep ? unknownDims(shape.length) : null);
    const none = axes === undefined || axes.length === 0;
    if (none && c.flag('noop_with_empty_axes')) return tensor(c.type(0), shape, c.values(0));
    const folded = none ? [...shape.keys()] : axes.map((axis) => c.axis(axis, shape.length));
    const out = shape.flatMap((dim, axis) => (folded.includes(axis) ? (keep ? [1] : []) : [dim]));
    const list = shape.length === 1 && folded.length === 1 ? numbers(c.values(0)) : null;
    return tensor(c.type(0), out, compute && list ? [compute(list)] : null);
  };

/** Class scores [N,C,d...] against targets [N,d...]: one loss per target, or one in all. */
function perTarget(c: Call): Dims | null {
  return c.text('reduction', 'mean') === 'none' ? c.shape(1) : [];
}

function negativeLogLikelihood(c: Call): Fact {
  const [scores, target] = [c.shape(0), c.shape(1)];
  if (scores && target && scores.length !== target.length + 1) c.refuse(1, `of rank ${scores.length - 1}`);
  return tensor(c.type(0), perTarget(c));
}

const plain = fold();

/** The rules of this file. */
export const REDUCE: Rules = {
  ReduceL1: plain,
  ReduceL2: plain,
  ReduceLogSum: plain,
  ReduceLogSumExp: plain,
  ReduceMean: plain,
  ReduceSumSquare: plain,
  ReduceMax: fold((values) => Math.max(...values)),
  ReduceMin: fold((values) => Math.min(...values)),
  ReduceProd: fold((values) => values.reduce((product, value) => product * value, 1)),
  ReduceSum: fold((values) => values.reduce((sum, value) => sum + value, 0)),
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: (c) => [negativeLogLikelihood(c), tensor(c.type(0), c.shape(0))],
};
