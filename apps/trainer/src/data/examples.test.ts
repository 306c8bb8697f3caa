/** Batches gathered from tensors and sequences: the numbers are those of the artifact's own nodes. */
import { nodeRuntime } from '@anneal/edge/engine/node';
import { describe, expect, test } from 'vitest';
import { openEngine } from '../engine/index.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { Random } from '../random.ts';
import { Epoch } from './batches.ts';
import { type Examples, gather, sourceOf } from './examples.ts';
import { buildFeatures, rawInputs } from './features.ts';
import { paddedLength, paddedLengths } from './lengths.ts';
import { RawGraph } from './raw-graph.ts';
import { fitRecipe, inputOf, type Recipe } from './recipe.ts';
import { rowsOf } from './rows.ts';
import { runSpec, table, tensorColumn, tokensColumn } from './testing.ts';

const random = Random.from(5, 'examples');
const ROWS = 40;
const target = Array.from({ length: ROWS }, (_, i) => (i % 2 ? 'a' : 'b'));
const parts = Array.from({ length: ROWS }, (_, i) => (i % 4 ? ('TRAIN' as const) : ('TEST' as const)));
const all = Uint32Array.from({ length: ROWS }, (_, i) => i);

/** Two channels of very different size, and one that never changes. */
const floats = Float32Array.from({ length: ROWS * 12 }, (_, i) => {
  const channel = Math.floor((i % 12) / 4);
  return channel === 0 ? 1000 + random.normal() * 20 : channel === 1 ? random.normal() / 1000 : 0.1;
});
const bytes = Uint8Array.from({ length: ROWS * 12 }, () => random.int(256));
const sentences = Array.from({ length: ROWS }, (_, i) =>
  Array.from({ length: 1 + ((i * 7) % 30) }, () => random.int(50)),
);
const images = table([tensorColumn('image', [3, 2, 2], floats)], target, parts);
const words = table([tokensColumn('words', sentences)], target, parts);

function onnx(recipe: Recipe): Uint8Array {
  const g = new GraphBuilder('features');
  g.output('features', buildFeatures(g, recipe));
  return encodeModel(g.model());
}

describe('tensors', () => {
  test.each([
    ['floats', floats, 'AUTO' as const],
    ['bytes', bytes, 'AUTO' as const],
    ['as they are', bytes, 'NONE' as const],
  ])('%s: batches hold exactly what the graph makes of the raw numbers', async (_, values, preprocessing) => {
    const of = table([tensorColumn('image', [3, 2, 2], values)], target, parts);
    const recipe = fitRecipe(of, rowsOf(of, 'TRAIN'), runSpec(of, { preprocessing }));
    if (recipe.kind !== 'TENSOR') throw new Error('expected a tensor');
    const { engine } = await openEngine('ORT_CPU', { threads: 1 });
    const graph = await RawGraph.open(engine, onnx(recipe), rawInputs(recipe));
    const x = gather(sourceOf(of, recipe, all), all, { length: null });
    expect(x).toEqual(await graph.run(of, all));
    await graph.close();
    const session = (await nodeRuntime()).createSession(onnx(recipe));
    const feed = { type: 'float32' as const, dims: [ROWS, 3, 2, 2], data: Float32Array.from(values) };
    expect(session.run({ image: feed }).features?.data).toEqual(x);
    session.release();
  });

  test('are standardised by channel on TRAIN rows; what never changes stays near 0', () => {
    const train = rowsOf(images, 'TRAIN');
    const recipe = fitRecipe(images, train, runSpec(images));
    if (recipe.kind !== 'TENSOR') throw new Error('expected a tensor');
    expect(inputOf(recipe)).toEqual({ kind: 'TENSOR', shape: [3, 2, 2] });
    const x = gather(
      sourceOf(images, recipe, train),
      train.map((_, i) => i),
      { length: null },
    );
    for (const channel of [0, 1]) {
      const own = Array.from(x).filter((_, i) => Math.floor((i % 12) / 4) === channel);
      const mean = own.reduce((sum, v) => sum + v / own.length, 0);
      expect(mean).toBeCloseTo(0, 4);
      expect(Math.sqrt(own.reduce((sum, v) => sum + v ** 2 / own.length, 0))).toBeCloseTo(1, 4);
    }
    expect(Array.from(x).filter((_, i) => i % 12 >= 8 && x[i] !== 0)).toEqual([]);
  });

  test('may be called like an output or a weight', () => {
    for (const name of ['value', 'stem.norm.mean', 'layer0.attention.self.qkv.weight']) {
      const of = table([tensorColumn(name, [3, 2, 2], floats)], target, parts);
      expect(rawInputs(fitRecipe(of, all, runSpec(of)))).toMatchObject([{ name: `${name}_column`, column: name }]);
    }
  });

  test('another shape than the spec says is refused', () => {
    const features = [{ name: 'image', kind: 'TENSOR' as const, shape: [3, 4] }];
    expect(() => fitRecipe(images, all, runSpec(images, { features }))).toThrow('is of another size');
  });
});

describe('tokens', () => {
  const recipe = fitRecipe(words, all, runSpec(words));
  const source = recipe.kind === 'TOKENS' ? sourceOf(words, recipe, all) : null;
  if (source?.kind !== 'TOKENS') throw new Error('expected tokens');
  const examples: Examples = { count: ROWS, source, y: Int32Array.from(all) };

  test('move up by one, with 0 behind their end; the graph agrees, and knows unknown ones', async () => {
    const x = gather(source, Uint32Array.of(4), { length: 30 });
    const sentence = sentences[4] ?? [];
    expect([...x]).toEqual([...sentence.map((id) => id + 1), ...new Array(30 - sentence.length).fill(0)]);
    const session = (await nodeRuntime()).createSession(onnx(recipe));
    const { vocabulary } = words.columns[0]?.kind === 'TOKENS' ? words.columns[0] : { vocabulary: 0 };
    const data = Int32Array.of(0, vocabulary - 1, -1, vocabulary, 2 ** 31 - 2, -1);
    const { features } = session.run({ words: { type: 'int32', dims: [2, 3], data } });
    expect([...(features?.data ?? [])]).toEqual([1, vocabulary, 0, vocabulary + 1, vocabulary + 1, 0]);
    expect(inputOf(recipe)).toEqual({ kind: 'TOKENS', vocabulary: vocabulary + 2, maxLength: 30 });
    session.release();
  });

  test('an epoch holds every row once, in batches of like length, in as many steps as without', () => {
    const order = Random.from(3, 'order').permutation(ROWS);
    const epoch = new Epoch(examples, 8, order);
    expect(epoch.steps).toBe(ROWS / 8);
    const seen: number[] = [];
    for (let step = 0; step < epoch.steps; ) {
      const steps = epoch.alike(step);
      const length = epoch.lengthOf(step) ?? 0;
      const { x, y, weight } = epoch.chunk(step, steps);
      expect([x.length, y.length, weight.length]).toEqual([steps * 8 * length, steps * 8, steps * 8]);
      for (const [slot, row] of y.entries()) {
        if (weight[slot] === 0) continue;
        seen.push(row);
        const padded = x.subarray(slot * length, (slot + 1) * length);
        expect([...padded].filter((id) => id > 0)).toEqual(sentences[row]?.map((id) => id + 1));
      }
      step += steps;
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...all]);
    const lengths = Array.from({ length: epoch.steps }, (_, step) => epoch.lengthOf(step) ?? 0);
    expect(new Set(lengths).size).toBeGreaterThan(1);
    expect(lengths).not.toEqual(lengths.toSorted((a, b) => a - b));
    const again = new Epoch(examples, 8, order);
    expect(lengths).toEqual(lengths.map((_, step) => again.lengthOf(step)));
  });

  test('a batch that is not full has weight 0 behind its rows', () => {
    const epoch = new Epoch(
      { ...examples, count: 3, source: { ...source, lengths: source.lengths.slice(0, 3) } },
      8,
      Uint32Array.of(2, 0, 1),
    );
    expect(epoch.steps).toBe(1);
    expect(epoch.rowsIn(0)).toBe(3);
    expect([...epoch.chunk(0, 1).weight]).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
  });
});

test('padded lengths end with the longest', () => {
  expect(paddedLengths(5)).toEqual([5]);
  expect(paddedLengths(8)).toEqual([8]);
  expect(paddedLengths(100)).toEqual([8, 12, 16, 24, 32, 48, 64, 96, 100]);
  expect([1, 8, 9, 97].map((length) => paddedLength(paddedLengths(100), length))).toEqual([8, 8, 12, 100]);
  expect(() => paddedLength([8], 9)).toThrow('longer than 8');
});
