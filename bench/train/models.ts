/**
 * The six networks of bench/train.ts with their data: small enough for two cores, and together what training is made
 * of (dense layers, convolutions, batch norm, attention, embeddings, a large softmax). Every contender gets the same
 * initial weights and the same batches.
 */
import type { TrainingOptions } from '../../apps/trainer/src/autodiff/compile.ts';
import type { Chunk } from '../../apps/trainer/src/engine/engine.ts';
import type { Value } from '../../apps/trainer/src/ir/builder.ts';
import * as op from '../../apps/trainer/src/ir/ops.ts';
import { Random } from '../../apps/trainer/src/random.ts';
import { zoo } from '../../apps/trainer/src/zoo/index.ts';
import { attention } from '../../apps/trainer/src/zoo/layers/attention.ts';
import { batchNorm } from '../../apps/trainer/src/zoo/layers/batch-norm.ts';
import { conv } from '../../apps/trainer/src/zoo/layers/conv.ts';
import { embedding } from '../../apps/trainer/src/zoo/layers/embedding.ts';
import { gelu } from '../../apps/trainer/src/zoo/layers/gelu.ts';
import { layerNorm } from '../../apps/trainer/src/zoo/layers/layer-norm.ts';
import { linear } from '../../apps/trainer/src/zoo/layers/linear.ts';
import { globalAveragePool } from '../../apps/trainer/src/zoo/layers/pool.ts';
import { learnedPositions } from '../../apps/trainer/src/zoo/layers/positions.ts';
import { type Module, network } from '../../apps/trainer/src/zoo/module.ts';
import type { Network } from '../../apps/trainer/src/zoo/network.ts';

/** Distinct batches; longer trainings go round. */
export const BATCHES = 8;

/** What is trained: the options of compileTraining, and how many values labels have. */
export interface BenchModel extends TrainingOptions {
  readonly name: ModelName;
  readonly classes: number;
  /** Values of one batch of x, and the ids that tokens may have. */
  readonly batchValues: number;
  readonly vocabulary: number | null;
}

export const MODEL_NAMES = ['mlp', 'mlpbig', 'cnn', 'cnnbn', 'bert', 'gpt'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

const optimizer = {
  kind: 'ADAMW',
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
} as const;

const GPT = { batch: 8, length: 64, width: 128, heads: 4, feedForward: 512, layers: 2, vocabulary: 1000 };

/** The network, loss and batch of a name. */
export function benchModel(name: ModelName): BenchModel {
  const common = { name, optimizer, seed: 1 } as const;
  const classes = { loss: 'SOFTMAX_CROSS_ENTROPY', classes: 10, vocabulary: null } as const;
  const image = { kind: 'TENSOR', shape: [3, 32, 32] } as const;
  const rows = (batchSize: number, rowSize: number) => ({ batchSize, batchValues: batchSize * rowSize });
  switch (name) {
    case 'mlp': {
      const net = zoo({ mlp: { hidden: [128, 64] } }, { input: { kind: 'FEATURES', width: 20 }, outputs: 1 });
      return { ...common, network: net, loss: 'BCE_WITH_LOGITS', classes: 2, vocabulary: null, ...rows(64, 20) };
    }
    case 'mlpbig': {
      const net = zoo({ mlp: { hidden: [512, 256] } }, { input: { kind: 'FEATURES', width: 784 }, outputs: 10 });
      return { ...common, ...classes, network: net, ...rows(128, 784) };
    }
    case 'cnn': {
      const cnn = { channels: [16, 32, 64], kernel: 3, hidden: [], dropout: 0 } as const;
      const net = zoo({ cnn: { ...cnn, channels: [...cnn.channels], hidden: [] } }, { input: image, outputs: 10 });
      return { ...common, ...classes, network: net, ...rows(32, 3 * 32 * 32) };
    }
    case 'cnnbn':
      return { ...common, ...classes, network: cnnbn(), ...rows(32, 3 * 32 * 32) };
    case 'bert': {
      const encoder = { layers: 2, width: 128, heads: 4, feedForward: 512, dropout: 0 };
      const transformer = { ...encoder, positions: 'LEARNED', norm: 'POST', pooling: 'MEAN' } as const;
      const input = { kind: 'TOKENS', vocabulary: 2000, maxLength: 64 } as const;
      const net = zoo({ transformer }, { input, outputs: 10 });
      return { ...common, ...classes, network: net, vocabulary: 2000, ...rows(16, 64) };
    }
    case 'gpt': {
      const { batch, length, vocabulary } = GPT;
      const net = gpt();
      return { ...common, ...classes, network: net, classes: vocabulary, vocabulary, ...rows(batch * length, 1) };
    }
  }
}

/** Strided 3x3 convolutions with batch norm, 32-64-128 channels, mean over the image. */
function cnnbn(): Network {
  const sizes = { input: { kind: 'TENSOR', shape: [3, 32, 32] }, outputs: 10 } as const;
  return network({ mlp: { hidden: [] } }, sizes, (m, x) => {
    let a = x;
    for (const [i, channels] of [32, 64, 128].entries()) {
      const z = conv(m, `conv${i}`, a, { channels, kernel: 3, stride: i === 0 ? 1 : 2, bias: false });
      a = op.Relu(batchNorm(m, `norm${i}`, z));
    }
    return linear(m, 'classifier', globalAveragePool(a), { outputs: 10 });
  });
}

/** A causal decoder: every token is a row that predicts its own label, so that the labels of a batch are [B*T]. */
function gpt(): Network {
  const { batch, length, width, heads, feedForward, layers, vocabulary } = GPT;
  const sizes = { input: { kind: 'TOKENS', vocabulary, maxLength: 1 }, outputs: vocabulary } as const;
  return network({ mlp: { hidden: [] } }, sizes, (m, x) => {
    const known = typeof x.shape[0] === 'number'; // the dry pass has a named number of rows
    const ids = known ? op.Reshape(x, [batch, length]) : x;
    const causal = known ? causalBias(x, length) : causalBias(x, 1);
    const options = { maxLength: length, width };
    let h = op.Add(
      embedding(m, 'tokens', ids, { entries: vocabulary, width }),
      learnedPositions(m, 'positions', ids, options),
    );
    for (let i = 0; i < layers; i++) h = m.scope(`layer${i}`, () => decoderLayer(m, h, { heads, feedForward, causal }));
    const rows = known
      ? op.Reshape(layerNorm(m, 'norm', h), [batch * length, width])
      : op.Squeeze(layerNorm(m, 'norm', h), [1]);
    return linear(m, 'head', rows, { outputs: vocabulary });
  });
}

function decoderLayer(m: Module, x: Value, o: { heads: number; feedForward: number; causal: Value }): Value {
  const attended = op.Add(
    x,
    attention(m, 'self', layerNorm(m, 'norm1', x), { heads: o.heads, bias: o.causal, rotate: null, start: xavier }),
  );
  const hidden = gelu(m, linear(m, 'in', layerNorm(m, 'norm2', attended), { outputs: o.feedForward }));
  return op.Add(attended, linear(m, 'out', hidden, { outputs: GPT.width }));
}

const xavier = (inputs: number, outputs: number) => {
  const bound = Math.sqrt(6 / (inputs + outputs));
  return { weight: (random: Random) => random.uniform(-bound, bound), bias: () => 0 };
};

function causalBias(x: Value, length: number): Value {
  const values = Float32Array.from({ length: length * length }, (_, at) =>
    at % length > Math.floor(at / length) ? -1e4 : 0,
  );
  return x.graph.constant('FLOAT', [1, 1, length, length], values);
}

/** So many steps of data, the same batches again and again. */
export function benchChunk(model: BenchModel, steps: number): Chunk {
  const { batchValues, batchSize, vocabulary, classes } = model;
  const random = Random.from(11, model.name);
  const x = vocabulary
    ? Int32Array.from({ length: BATCHES * batchValues }, () => 1 + random.int(vocabulary - 1))
    : Float32Array.from({ length: BATCHES * batchValues }, () => random.normal());
  const y = Int32Array.from({ length: BATCHES * batchSize }, () => random.int(classes));
  const around = <T extends Float32Array | Int32Array>(from: T, to: T) => {
    for (let at = 0; at < to.length; at += from.length) to.set(from.subarray(0, to.length - at), at);
    return to;
  };
  return {
    x:
      x instanceof Int32Array
        ? around(x, new Int32Array(steps * batchValues))
        : around(x, new Float32Array(steps * batchValues)),
    y: around(y, new Int32Array(steps * batchSize)),
    weight: new Float32Array(steps * batchSize).fill(1),
    learningRate: optimizer.learningRate,
  };
}

/** Initial parameters. */
export function benchStart({ network: net }: BenchModel): Float32Array {
  return net.initialise(Random.from(5, 'init'));
}
