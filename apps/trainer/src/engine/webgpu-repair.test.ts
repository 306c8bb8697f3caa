import { expect, test } from 'vitest';
import { GraphBuilder } from '../ir/builder.ts';
import { decodeModel } from '../ir/decode.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { ortCpu } from './ort-cpu.ts';
import { repaired } from './webgpu-repair.ts';

function convolution(channels: number, outputs: number): Uint8Array {
  const g = new GraphBuilder('conv');
  const x = g.input('x', 'FLOAT', [2, channels, 4, 4]);
  const weight = g.input('weight', 'FLOAT', [outputs, channels, 3, 3]);
  g.output('y', op.Conv(x, weight, { pads: [1, 1, 1, 1] }));
  return encodeModel(g.model());
}

const ramp = (name: string, dims: number[]) => {
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  return tensorOf(name, 'FLOAT', dims, values);
};

test.each([
  [6, 4],
  [9, 8],
  [18, 4],
])('%i channels to %i: padded to a multiple of four, and the same convolution', async (channels, outputs) => {
  const model = convolution(channels, outputs);
  const better = repaired(model);
  const { nodes } = decodeModel(better).graph;
  expect(nodes.map(({ type }) => type)).toEqual(['Pad', 'Pad', 'Conv']);
  const inputs = [ramp('x', [2, channels, 4, 4]), ramp('weight', [outputs, channels, 3, 3])];
  const answers: number[][] = [];
  for (const bytes of [model, better]) {
    const graph = await ortCpu({ threads: 1 }).graph(bytes);
    const y = (await graph.run(inputs)).get('y');
    if (!y) throw new Error('no output');
    expect(y.dims).toEqual([2, outputs, 4, 4]);
    answers.push(numbersOf(y));
    await graph.close();
  }
  const [plain = [], padded = []] = answers;
  plain.forEach((value, i) => {
    expect(padded[i]).toBeCloseTo(value, 5);
  });
});

test.each([
  [3, 4],
  [4, 4],
  [12, 4],
  [6, 3],
  [7, 4],
])('%i channels to %i: left as it is', (channels, outputs) => {
  const model = convolution(channels, outputs);
  expect(repaired(model)).toBe(model);
});
