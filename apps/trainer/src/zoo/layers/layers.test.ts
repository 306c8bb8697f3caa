/** Layers with something of their own: state that follows the data, noise, and positions. */
import { describe, expect, test } from 'vitest';
import { ortCpu } from '../../engine/ort-cpu.ts';
import { GraphBuilder } from '../../ir/builder.ts';
import { encodeModel } from '../../ir/encode.ts';
import { sizeOf } from '../../ir/shapes.ts';
import { numbersOf, tensorOf } from '../../ir/tensor.ts';
import { Random } from '../../random.ts';
import { type Forward, network } from '../module.ts';
import type { Mode } from '../network.ts';
import { batchNorm } from './batch-norm.ts';
import { dropout } from './dropout.ts';
import { rotary } from './positions.ts';

const engine = ortCpu({ threads: 1 });
const random = Random.from(4, 'layers');

type Numbers = { dims: readonly number[]; values: ArrayLike<number> };

/** A layer over x, with all of its parameters as they begin: what it answers, and its buffers afterwards. */
async function ran(
  layer: Forward,
  x: Numbers,
  o: { mode: 'INFERENCE' | { seed: number; weight?: number[] }; buffers?: Float32Array },
) {
  const shape = x.dims.slice(1);
  const net = network({ mlp: { hidden: [] } }, { input: { kind: 'TENSOR', shape }, outputs: 1 }, layer);
  const g = new GraphBuilder('layer');
  const rows = g.input('x', 'FLOAT', x.dims);
  const filled = (shapes: readonly { shape: readonly number[] }[], flat: Float32Array) => {
    let at = 0;
    return shapes.map(({ shape: dims }) => {
      const start = at;
      at += sizeOf(dims);
      return g.constant('FLOAT', dims, flat.subarray(start, at));
    });
  };
  const parameters = filled(net.parameters, net.initialise(Random.from(1, 'init')));
  const buffers = filled(net.buffers, o.buffers ?? net.initialBuffers());
  const weight = (given?: number[]) => given ?? new Array<number>(x.dims[0] ?? 1).fill(1);
  const mode: Mode =
    o.mode === 'INFERENCE'
      ? { kind: 'INFERENCE' }
      : {
          kind: 'TRAINING',
          seed: g.constant('INT32', [], [o.mode.seed]),
          weight: g.constant('FLOAT', [x.dims[0] ?? 1], weight(o.mode.weight)),
        };
  const result = net.forward(rows, parameters, buffers, mode);
  g.output('y', result.logits);
  for (const [index, buffer] of result.buffers.entries()) g.output(`buffer${index}`, buffer);
  const graph = await engine.graph(encodeModel(g.model()));
  const outputs = await graph.run([tensorOf('x', 'FLOAT', x.dims, Array.from(x.values))]);
  await graph.close();
  const of = (name: string) => {
    const tensor = outputs.get(name);
    return tensor ? numbersOf(tensor) : [];
  };
  return { y: of('y'), buffers: Float32Array.from(net.buffers.flatMap((_, index) => of(`buffer${index}`))) };
}

const normal = (dims: readonly number[], mean: number, deviation: number): Numbers => ({
  dims,
  values: Float32Array.from({ length: sizeOf(dims) }, () => mean + deviation * random.normal()),
});

describe('batchNorm', () => {
  const layer: Forward = (m, x) => batchNorm(m, 'norm', x);
  const x = normal([6, 1, 4, 4], 5, 3);
  const values = Array.from(x.values);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);

  test('its running statistics converge to mean and variance of what it sees', async () => {
    let buffers = Float32Array.of(0, 1);
    for (let step = 0; step < 200; step++) ({ buffers } = await ran(layer, x, { mode: { seed: 0 }, buffers }));
    expect(buffers[0]).toBeCloseTo(mean, 4);
    expect(buffers[1]).toBeCloseTo(squares / (values.length - 1), 4);
    const { y, buffers: kept } = await ran(layer, x, { mode: 'INFERENCE', buffers });
    expect(kept).toEqual(buffers);
    y.forEach((value, i) => {
      expect(value).toBeCloseTo(((values[i] ?? 0) - mean) / Math.sqrt(squares / (values.length - 1) + 1e-5), 3);
    });
  });

  test('one step moves them by a tenth, and takes the statistics of the batch for the batch', async () => {
    const { y, buffers } = await ran(layer, x, { mode: { seed: 0 } });
    expect(buffers[0]).toBeCloseTo(0.1 * mean, 5);
    expect(buffers[1]).toBeCloseTo(0.9 + (0.1 * squares) / (values.length - 1), 4);
    expect(y.reduce((sum, value) => sum + value, 0) / y.length).toBeCloseTo(0, 5);
    expect(y.reduce((sum, value) => sum + value ** 2, 0) / y.length).toBeCloseTo(1, 4);
  });

  test('rows of weight 0 are as if they were not there', async () => {
    const junk = { dims: [8, 1, 4, 4], values: [...values, ...new Array<number>(32).fill(1e3)] };
    const beside = await ran(layer, junk, { mode: { seed: 0, weight: [1, 1, 1, 1, 1, 1, 0, 0] } });
    const alone = await ran(layer, x, { mode: { seed: 0 } });
    alone.y.forEach((value, i) => {
      expect(beside.y[i]).toBeCloseTo(value, 5);
    });
    alone.buffers.forEach((value, i) => {
      expect(beside.buffers[i]).toBeCloseTo(value, 4);
    });
  });
});

describe('dropout', () => {
  const x = { dims: [50, 400], values: new Float32Array(20_000).fill(1) };
  const twice: Forward = (m, a) => dropout(m, dropout(m, a, 0.2), 0.5);

  test('drops its share and keeps the mean; nothing in inference, nothing at rate 0', async () => {
    const { y } = await ran((m, a) => dropout(m, a, 0.3), x, { mode: { seed: 12 } });
    const dropped = y.filter((value) => value === 0).length / y.length;
    expect(Math.abs(dropped - 0.3)).toBeLessThan(0.015); // 4.6 standard errors
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
    expect(new Set((await ran((m, a) => dropout(m, a, 0.3), x, { mode: 'INFERENCE' })).y)).toEqual(new Set([1]));
    expect(new Set((await ran((m, a) => dropout(m, a, 0), x, { mode: { seed: 1 } })).y)).toEqual(new Set([1]));
  });

  test('two layers drop independently, and so do two steps', async () => {
    const both = (await ran(twice, x, { mode: { seed: 3 } })).y;
    const kept = both.filter((value) => value > 0).length / both.length;
    expect(Math.abs(kept - 0.4)).toBeLessThan(0.02);
    const next = (await ran(twice, x, { mode: { seed: 4 } })).y;
    const again = both.filter((value, i) => value > 0 && (next[i] ?? 0) > 0).length / both.length;
    expect(Math.abs(again - 0.16)).toBeLessThan(0.02);
    expect((await ran(twice, x, { mode: { seed: 3 } })).y).toEqual(both);
  });
});

test('rotary: products of queries and keys depend on their distance alone', async () => {
  const [T, d] = [6, 8];
  const [q, k] = [normal([d], 0, 1), normal([d], 0, 1)];
  const repeated = [
    ...Array.from({ length: T }, () => Array.from(q.values)),
    ...Array.from({ length: T }, () => Array.from(k.values)),
  ];
  const g = new GraphBuilder('rotary');
  const x = g.input('x', 'FLOAT', [1, 2, T, d]);
  g.output('y', rotary(g.input('ids', 'INT32', [1, T]), { maxLength: 10, width: d })(x));
  const graph = await engine.graph(encodeModel(g.model()));
  const ids = tensorOf('ids', 'INT32', [1, T], new Array<number>(T).fill(1));
  const result = await graph.run([tensorOf('x', 'FLOAT', [1, 2, T, d], repeated.flat()), ids]);
  await graph.close();
  const tensor = result.get('y');
  const y = tensor ? numbersOf(tensor) : [];
  const at = (which: number, t: number) => y.slice((which * T + t) * d, (which * T + t + 1) * d);
  const product = (i: number, j: number) => at(0, i).reduce((sum, value, n) => sum + value * (at(1, j)[n] ?? 0), 0);
  expect(at(0, 0)).toEqual(Array.from(q.values));
  for (const [i, j] of [
    [1, 0],
    [3, 1],
    [0, 5],
  ] as const)
    for (let t = 0; t + Math.max(i, j) < T; t++) expect(product(i + t, j + t)).toBeCloseTo(product(i, j), 4);
  expect(Math.abs(product(1, 0) - product(0, 1))).toBeGreaterThan(1e-3);
});
