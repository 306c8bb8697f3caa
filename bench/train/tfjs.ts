/**
 * A contender of bench/train.ts: TensorFlow.js as its users write it, with its own layers of operations, gradients and
 * Adam. Arguments: backend (cpu or wasm), network (mlp or mlpbig), folder with the network's data.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { serve } from './protocol.ts';

interface Meta {
  batchSize: number;
  row: number[];
  parameters: { name: string; shape: number[] }[];
}

const [, , backend = 'cpu', name = 'mlp', folder = '.'] = process.argv;
if (backend === 'wasm') {
  const require = createRequire(import.meta.url);
  const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(prefix: string): void };
  const dist = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(`${dist}/`);
}
await tf.setBackend(backend);
await tf.ready();

const meta = JSON.parse(readFileSync(path.join(folder, 'meta.json'), 'utf8')) as Meta;
const bytes = (file: string) => new Uint8Array(readFileSync(path.join(folder, file))).buffer;
const flat = new Float32Array(bytes('params.bin'));
let at = 0;
const parameters = meta.parameters.map(({ shape }) => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  at += size;
  return tf.variable(tf.tensor(flat.slice(at - size, at), shape));
});
const labels = new Int32Array(bytes('y.bin'));
const batches = labels.length / meta.batchSize;
const x = tf
  .tensor(new Float32Array(bytes('x.bin')), [batches, meta.batchSize, ...meta.row])
  .unstack() as tf.Tensor2D[];
const y = tf.tensor(labels, [batches, meta.batchSize], 'int32').unstack() as tf.Tensor1D[];

function loss(rows: tf.Tensor2D, truth: tf.Tensor1D): tf.Scalar {
  let a: tf.Tensor2D = rows;
  for (let i = 0; i < parameters.length; i += 2) {
    const [weight, bias] = [parameters[i] as tf.Variable<tf.Rank.R2>, parameters[i + 1] as tf.Variable<tf.Rank.R1>];
    const z = tf.matMul(a, weight).add(bias) as tf.Tensor2D;
    a = i + 2 < parameters.length ? z.relu() : z;
  }
  if (name === 'mlp') return tf.losses.sigmoidCrossEntropy(truth.toFloat().expandDims(1), a);
  return tf.losses.softmaxCrossEntropy(tf.oneHot(truth, 10), a);
}

// tfjs has Adam but no AdamW; leaving weight decay out costs it nothing and moves 20 losses by less than 1e-3.
const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
let done = 0;
await serve((steps) => async () => {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++, done++) {
    const [rows, truth] = [x[done % batches], y[done % batches]];
    if (!rows || !truth) throw new Error('no batch');
    const value = optimizer.minimize(() => loss(rows, truth), true, parameters);
    losses.push(value?.dataSync()[0] ?? Number.NaN);
    value?.dispose();
  }
  return losses;
});
