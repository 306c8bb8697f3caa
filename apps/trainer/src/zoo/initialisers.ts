/** How weights begin, one paper per line: what keeps the variance of activations and gradients from layer to layer. */
import type { Initialiser } from './module.ts';

/** The same value everywhere. */
export const constant =
  (value: number): Initialiser =>
  () =>
    value;

/** Biases, and gains that start a branch at nothing. */
export const zeros: Initialiser = constant(0);

/** Normal with a standard deviation: 0.02 in BERT and GPT-2 (Devlin et al. 2018, https://arxiv.org/abs/1810.04805). */
export const normal =
  (deviation: number): Initialiser =>
  (random) =>
    deviation * random.normal();

/** Normal of variance 2 / fan, for layers in front of ReLU (He et al. 2015, https://arxiv.org/abs/1502.01852). */
export const heNormal = (fan: number): Initialiser => normal(Math.sqrt(2 / fan));

/**
 * Uniform of variance 2 / (fanIn + fanOut), for layers without ReLU behind them (Glorot and Bengio 2010,
 * https://proceedings.mlr.press/v9/glorot10a.html).
 */
export function xavierUniform(fanIn: number, fanOut: number): Initialiser {
  const bound = Math.sqrt(6 / (fanIn + fanOut));
  return (random) => random.uniform(-bound, bound);
}

/**
 * Uniform in +-1/sqrt(fanIn), biases too, as PyTorch's nn.Linear: Kaiming-uniform with a = sqrt(5)
 * (https://pytorch.org/docs/stable/generated/torch.nn.Linear.html).
 */
export function linearUniform(fanIn: number): Initialiser {
  const bound = 1 / Math.sqrt(fanIn);
  return (random) => random.uniform(-bound, bound);
}
