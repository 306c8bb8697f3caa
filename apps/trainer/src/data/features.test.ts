import { nodeRuntime } from '@anneal/edge/engine/node';
import { describe, expect, test } from 'vitest';
import type { Table } from '../contract.ts';
import { openEngine } from '../engine/index.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { buildFeatures, rawInputs } from './features.ts';
import { RawGraph } from './raw-graph.ts';
import { CLIP, fitTable, MAX_CATEGORIES, type TableRecipe } from './recipe.ts';
import { rowsOf } from './rows.ts';
import { column, runSpec, table } from './testing.ts';

/** age: median 3 (of 1, 3, 8), filled 1 3 8 3, mean 3.75, variance 6.6875. */
const AGE = { center: 3.75, scale: Math.sqrt(6.6875) };
const trained = table(
  [
    column('age', [1, 3, 8, null, 100, null]),
    column('same', [0.1, 0.1, 0.1, 0.1, 0.3, 0.1]),
    column('sex', ['f', 'm', 'f', null, 'x', null]),
    column('port', ['S', 'Q', 'S', 'S', 'C', null]),
  ],
  ['a', 'b', 'a', 'b', 'a', 'b'],
  ['TRAIN', 'TRAIN', 'TRAIN', 'TRAIN', 'TEST', 'TEST'],
);

function onnx(recipe: TableRecipe): Uint8Array {
  const g = new GraphBuilder('features');
  g.output('features', buildFeatures(g, recipe));
  return encodeModel(g.model());
}

async function throughNode(recipe: TableRecipe, of: Table, rows: Uint32Array): Promise<number[][]> {
  const { engine } = await openEngine('ORT_CPU', { threads: 1 });
  const graph = await RawGraph.open(engine, onnx(recipe), rawInputs(recipe));
  const flat = Array.from(await graph.run(of, rows));
  await graph.close();
  return Array.from(rows, (_, i) => flat.slice(i * recipe.width, (i + 1) * recipe.width));
}

async function throughEdge(recipe: TableRecipe, of: Table, rows: Uint32Array): Promise<number[][]> {
  const session = (await nodeRuntime()).createSession(onnx(recipe));
  const cell = (name: string, row: number) => {
    const c = of.columns.find((candidate) => candidate.name === name);
    if (c?.kind === 'NUMERIC') return c.values[row] ?? Number.NaN;
    return (c?.kind === 'CATEGORICAL' ? c.dictionary[c.codes[row] ?? -1] : null) ?? '';
  };
  const feeds = rawInputs(recipe).map((input) => {
    const columns = 'columns' in input ? input.columns : [];
    const cells = Array.from(rows).flatMap((row) => columns.map((name) => cell(name, row)));
    const dims = [rows.length, columns.length];
    return input.type === 'double'
      ? ([input.name, { type: 'float64' as const, dims, data: Float64Array.from(cells, Number) }] as const)
      : ([input.name, { type: 'string' as const, dims, data: cells.map(String) }] as const);
  });
  const flat = Array.from(session.run(Object.fromEntries(feeds)).features?.data ?? [], Number);
  session.release();
  return Array.from(rows, (_, i) => flat.slice(i * recipe.width, (i + 1) * recipe.width));
}

describe.each([
  ['onnxruntime-node', throughNode],
  ['the edge', throughEdge],
])('features through %s', (_name, features) => {
  const recipe = fitTable(trained, rowsOf(trained, 'TRAIN'), runSpec(trained));

  test('numbers are filled, standardised, clipped and flagged; categories have slots', async () => {
    const rows = await features(recipe, trained, rowsOf(trained, 'TRAIN'));
    const z = (age: number) => Math.fround((age - AGE.center) / AGE.scale);
    // age, same, age missing | sex: unknown, f, m, missing | port: unknown, Q, S
    expect(rows).toEqual([
      [z(1), 0, 0, 0, 1, 0, 0, 0, 0, 1],
      [z(3), 0, 0, 0, 0, 1, 0, 0, 1, 0],
      [z(8), 0, 0, 0, 1, 0, 0, 0, 0, 1],
      [z(3), 0, 1, 0, 0, 0, 1, 0, 0, 1],
    ]);
  });

  test('what training never saw: far numbers are clipped, unknown and missing categories take slot 0', async () => {
    const rows = await features(recipe, trained, rowsOf(trained, 'TEST'));
    const z = (age: number) => Math.fround((age - AGE.center) / AGE.scale);
    expect(rows[0]).toEqual([CLIP, Math.fround(0.3 - 0.1), 0, 1, 0, 0, 0, 1, 0, 0]);
    expect(rows[1]).toEqual([z(3), 0, 1, 0, 0, 0, 1, 1, 0, 0]);
  });

  test('preprocessing NONE hands numbers through, missing as 0, and still encodes categories', async () => {
    const none = fitTable(trained, rowsOf(trained, 'TRAIN'), runSpec(trained, { preprocessing: 'NONE' }));
    const rows = await features(none, trained, Uint32Array.of(3, 4));
    expect(rows).toEqual([
      [0, Math.fround(0.1), 0, 0, 0, 1, 0, 0, 1],
      [100, Math.fround(0.3), 1, 0, 0, 0, 1, 0, 0],
    ]);
  });

  test('categories alone, which share texts between columns and have the mark that tells columns apart', async () => {
    const cells = [
      ['x', '1:x'],
      ['0:x', 'x'],
      ['x', ''],
    ];
    const of = table(
      [
        column(
          'a',
          cells.map(([text]) => text ?? ''),
        ),
        column(
          'b',
          cells.map(([, text]) => text || null),
        ),
      ],
      ['a', 'b', 'a'],
      ['TRAIN', 'TRAIN', 'TEST'],
    );
    const recipe = fitTable(of, rowsOf(of, 'TRAIN'), runSpec(of));
    expect(rawInputs(recipe)).toEqual([{ name: 'texts', type: 'string', columns: ['a', 'b'] }]);
    // a: unknown, 0:x, x | b: unknown, 1:x, x
    expect(await features(recipe, of, Uint32Array.of(0, 1, 2))).toEqual([
      [0, 0, 1, 0, 1, 0],
      [0, 1, 0, 0, 0, 1],
      [0, 0, 1, 1, 0, 0],
    ]);
  });

  test('columns may be called like outputs and nodes', async () => {
    const odd = table(
      [
        column('value', [1, 2]),
        column('value_column', [3, 4]),
        column('Concat_0', ['p', 'q']),
        column('layer0.bias', ['r', 's']),
      ],
      ['a', 'b'],
      ['TRAIN', 'TRAIN'],
    );
    const recipe = fitTable(odd, rowsOf(odd, 'TRAIN'), runSpec(odd));
    expect(rawInputs(recipe)).toEqual([
      { name: 'numbers', type: 'double', columns: ['value', 'value_column'] },
      { name: 'texts', type: 'string', columns: ['Concat_0', 'layer0.bias'] },
    ]);
    expect(await features(recipe, odd, rowsOf(odd, 'TRAIN'))).toEqual([
      [-1, -1, 0, 1, 0, 0, 1, 0],
      [1, 1, 0, 0, 1, 0, 0, 1],
    ]);
  });
});

describe('fitTable', () => {
  test('keeps the most frequent categories only', () => {
    const cells = Array.from({ length: 300 }, (_, i) => (i < 150 ? `often${i % 50}` : `rare${i}`));
    const wide = table(
      [column('c', cells)],
      cells.map((_, i) => (i % 2 ? 'a' : 'b')),
      cells.map(() => 'TRAIN' as const),
    );
    const recipe = fitTable(wide, rowsOf(wide, 'TRAIN'), runSpec(wide));
    const categories = recipe.categorical[0]?.categories ?? [];
    expect(categories).toHaveLength(MAX_CATEGORIES);
    expect(categories.filter((text) => text.startsWith('often'))).toHaveLength(50);
    expect(recipe.width).toBe(MAX_CATEGORIES + 1);
  });

  test('a column without any value in TRAIN becomes a constant', () => {
    const empty = table([column('x', [null, null, 5])], ['a', 'b', 'a'], ['TRAIN', 'TRAIN', 'TEST']);
    const { numeric } = fitTable(empty, rowsOf(empty, 'TRAIN'), runSpec(empty));
    expect(numeric).toEqual([{ name: 'x', fill: 0, center: 0, scale: 1, indicator: false }]);
  });

  test('names the feature that the table lacks', () => {
    const features = [{ name: 'height', kind: 'NUMERIC' as const }];
    expect(() => fitTable(trained, rowsOf(trained, 'TRAIN'), runSpec(trained, { features }))).toThrow(
      'feature "height": expected a NUMERIC column, the table has none of that name',
    );
  });
});
