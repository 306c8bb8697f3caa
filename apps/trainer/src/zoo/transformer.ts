/**
 * The transformer encoder as a classifier of token sequences: BERT (Devlin et al. 2018,
 * https://arxiv.org/abs/1810.04805) without its segments and its pooler, or with what came later: normalisation in
 * front of each branch (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), rotary positions, mean pooling.
 */
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { expectTokens } from './expect.ts';
import { normal, zeros } from './initialisers.ts';
import { attention, maskBias } from './layers/attention.ts';
import { dropout } from './layers/dropout.ts';
import { embedding, meanOfTokens, tokenMask } from './layers/embedding.ts';
import { gelu } from './layers/gelu.ts';
import { layerNorm } from './layers/layer-norm.ts';
import { linear } from './layers/linear.ts';
import { learnedPositions, rotary } from './layers/positions.ts';
import { type Module, network, type Sizes } from './module.ts';
import type { Network } from './network.ts';

type Options = Hyperparameters['transformer'];

/** BERT's: all matrices normal with deviation 0.02, all biases 0. */
const start = () => ({ weight: normal(0.02), bias: zeros });

/** x INT32 [N,T], 0 = padding -> logits [N,outputs] */
export function transformer(options: Options, sizes: Sizes): Network {
  const { vocabulary, maxLength } = expectTokens('transformer', sizes.input);
  const { layers, width, heads, positions, norm, pooling } = options;
  const cls = pooling === 'CLS';
  return network({ transformer: options }, sizes, (m, x) => {
    const ids = cls ? withClass(x, vocabulary) : x; // [N,T] from here, whichever T
    const length = { maxLength: maxLength + (cls ? 1 : 0) };
    const mask = tokenMask(ids);
    const bias = maskBias(mask);
    const rotate = positions === 'ROTARY' ? rotary(ids, { ...length, width: width / heads }) : null;
    let h = embedding(m, 'tokens', ids, { entries: vocabulary + (cls ? 1 : 0), width }); // [N,T,D]
    if (!rotate) h = op.Add(h, learnedPositions(m, 'positions', ids, { ...length, width }));
    if (norm === 'POST') h = layerNorm(m, 'norm', h);
    h = dropout(m, h, options.dropout);
    for (let i = 0; i < layers; i++) h = m.scope(`layer${i}`, () => layer(m, h, options, { bias, rotate }));
    const pooled = cls ? first(h) : meanOfTokens(h, mask); // [N,D]
    const last = norm === 'PRE' ? layerNorm(m, 'norm', pooled) : pooled;
    return linear(m, 'classifier', dropout(m, last, options.dropout), { outputs: sizes.outputs, start });
  });
}

interface Context {
  readonly bias: Value;
  readonly rotate: ((x: Value) => Value) | null;
}

/** Attention and a feed-forward network, each with a residual connection. */
function layer(m: Module, x: Value, options: Options, context: Context): Value {
  const { heads, feedForward } = options;
  const attended = residual(m, 'attention', x, options, (a) => attention(m, 'self', a, { heads, start, ...context }));
  return residual(m, 'feedForward', attended, options, (a) => {
    const hidden = gelu(m, linear(m, 'in', a, { outputs: feedForward, start })); // [N,T,F]
    return linear(m, 'out', hidden, { outputs: options.width, start });
  });
}

/** PRE: x + f(norm(x)). POST: norm(x + f(x)). */
function residual(m: Module, name: string, x: Value, { norm, dropout: rate }: Options, f: (x: Value) => Value): Value {
  return m.scope(name, () => {
    const branch = (a: Value) => op.Add(x, dropout(m, f(a), rate));
    return norm === 'PRE' ? branch(layerNorm(m, 'norm', x)) : layerNorm(m, 'norm', branch(x));
  });
}

/** The class token, a word of its own behind the vocabulary, in front of each sequence: [N,T] -> [N,T+1] */
function withClass(ids: Value, vocabulary: number): Value {
  const zero = op.Mul(op.ReduceMax(ids, { axes: [1], keep: true }), 0); // [N,1], whatever N and T are called
  return op.Concat([op.Add(zero, vocabulary), ids], 1);
}

/** The first token's vector: [N,T,D] -> [N,D]. A Slice where it can be one: its gradient is a Pad, not a scatter. */
function first(x: Value): Value {
  if (typeof x.shape[1] === 'number') return op.Squeeze(op.Slice(x, [{ axis: 1, start: 0, end: 1 }]), [1]);
  return op.Gather(x, x.graph.constant('INT32', [], [0]), 1);
}
