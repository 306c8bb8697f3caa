/** The multilayer perceptron: linear layers with ReLU between them. Reads anything: tensors flat, tokens as a bag. */
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import * as op from '../ir/ops.ts';
import { sizeOf } from '../ir/shapes.ts';
import { linearUniform } from './initialisers.ts';
import { meanOfTokens, tokenMask } from './layers/embedding.ts';
import { linear, uniformStart } from './layers/linear.ts';
import { type Module, network, type Sizes } from './module.ts';
import { type Network, type NetworkInput, rowShape } from './network.ts';

/** inputs -> hidden... -> outputs; an empty list of hidden sizes is linear (or logistic) regression. */
export function mlp({ hidden }: Hyperparameters['mlp'], sizes: Sizes): Network {
  const widths = [...hidden, sizes.outputs];
  return network({ mlp: { hidden } }, sizes, (m, x) => {
    let a = x;
    for (const [i, outputs] of widths.entries()) {
      const z =
        i === 0 ? first(m, a, sizes.input, outputs) : linear(m, `layer${i}`, a, { outputs, start: uniformStart });
      a = i < hidden.length ? m.scope(`layer${i}`, () => op.Relu(z)) : z;
    }
    return a;
  });
}

/** The layer over one row of input: [N,...row] -> [N,outputs] */
function first(m: Module, x: Value, input: NetworkInput, outputs: number): Value {
  if (input.kind === 'TOKENS') return bag(m, x, { vocabulary: input.vocabulary, outputs });
  const flat = x.shape.length === 2 ? x : op.Reshape(x, [x.shape[0] ?? 1, sizeOf(rowShape(input))]);
  return linear(m, 'layer0', flat, { outputs, start: uniformStart });
}

/**
 * A linear layer over how often each token occurs, as a share of the sequence: the mean of the tokens' rows of its
 * weight. Order is lost. Initialised as in fastText (Joulin et al. 2016, https://arxiv.org/abs/1607.01759).
 */
function bag(m: Module, ids: Value, { vocabulary, outputs }: { vocabulary: number; outputs: number }): Value {
  return m.scope('layer0', () => {
    const start = linearUniform(outputs ** 2); // uniform in +-1/outputs
    const rows = op.Gather(m.parameter('weight', [vocabulary, outputs], start), ids, 0); // [N,T,outputs]
    return op.Add(meanOfTokens(rows, tokenMask(ids)), m.parameter('bias', [outputs], start));
  });
}
