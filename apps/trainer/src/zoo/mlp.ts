/** The multilayer perceptron: linear layers with ReLU between them. */
import type { Architecture } from '../contract/run-spec.ts';
import type { Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { type Network, networkOf, type Parameter } from './network.ts';

/** inputs -> hidden... -> outputs; an empty list of hidden sizes is linear (or logistic) regression. */
export function mlp({ hidden }: Architecture['mlp'], size: { inputs: number; outputs: number }): Network {
  const widths = [size.inputs, ...hidden, size.outputs];
  const layers = widths.slice(1).map((outputs, index) => ({ inputs: widths[index] ?? 0, outputs }));
  return networkOf({
    architecture: { mlp: { hidden } },
    ...size,
    parameters: layers.flatMap(({ inputs, outputs }, index) => linear(`layer${index}`, inputs, outputs)),
    forward: (x, parameters) => forward(x, parameters, layers.length),
  });
}

/**
 * Weight [inputs,outputs] and bias [outputs], initialised as PyTorch's nn.Linear: both uniform in +-1/sqrt(inputs),
 * which is Kaiming-uniform with a = sqrt(5) (https://pytorch.org/docs/stable/generated/torch.nn.Linear.html).
 */
function linear(name: string, inputs: number, outputs: number): Parameter[] {
  const bound = 1 / Math.sqrt(inputs);
  const draw: Parameter['draw'] = (random) => random.uniform(-bound, bound);
  return [
    { name: `${name}.weight`, shape: [inputs, outputs], decays: true, draw },
    { name: `${name}.bias`, shape: [outputs], decays: false, draw },
  ];
}

function forward(x: Value, parameters: readonly Value[], layers: number): Value {
  let activation = x;
  for (let layer = 0; layer < layers; layer++) {
    const [weight, bias] = parameters.slice(2 * layer);
    if (!weight || !bias)
      throw new GraphError(`mlp: layer ${layer} has no parameters; got ${parameters.length} values`);
    const input = activation;
    activation = x.graph.scope(`layer${layer}`, () => {
      const logits = op.Gemm(input, weight, { c: bias });
      return layer < layers - 1 ? op.Relu(logits) : logits;
    });
  }
  return activation;
}
