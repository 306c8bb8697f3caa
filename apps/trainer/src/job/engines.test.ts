/**
 * A whole run on every engine that is here: raw columns, training, validation, artifact, and the gate in which the edge
 * must say what the training engine says.
 */
import { existsSync } from 'node:fs';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { beforeAll, expect, test } from 'vitest';
import type { Part, Table } from '../contract.ts';
import { column, runSpec, table, tensorColumn, tokensColumn } from '../data/testing.ts';
import { openEngine } from '../engine/index.ts';
import { toleranceOf } from '../parity/compare.ts';
import { Random } from '../random.ts';
import { make } from './make.ts';
import { evaluateAtEdge } from './publish.ts';

/** Software Vulkan, where Debian's Chromium puts it. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const ROWS = 60;
const parts = Array.from(
  { length: ROWS },
  (_, i): Part => (i % 5 === 0 ? 'TEST' : i % 5 === 1 ? 'VALIDATION' : 'TRAIN'),
);
const random = Random.from(3, 'engines');
const a = Array.from({ length: ROWS }, (_, i) => (i % 9 === 0 ? null : 100 * random.normal()));
const shade = Array.from({ length: ROWS }, (_, i) => ['red', 'green', null][i % 3] ?? null);
const columns = [column('a', a), column('shade', shade)];
const kinds = Array.from({ length: ROWS }, (_, i) => ['x', 'y', 'z'][i % 3] ?? 'x');
const pixels = Float32Array.from({ length: ROWS * 32 }, (_, i) => random.normal() + (Math.floor(i / 32) % 3));
const sequences = Array.from({ length: ROWS }, (_, i) => Array.from({ length: 2 + (i % 4) }, () => random.int(5)));

const TABLES: Record<string, { table: Table; fields: Parameters<typeof runSpec>[1] }> = {
  'classes from columns': { table: table(columns, kinds, parts), fields: {} },
  'values from columns': {
    table: table(
      columns,
      a.map((value, i) => 3e5 + 1e4 * ((value ?? 0) / 100 + (i % 3))),
      parts,
    ),
    fields: {},
  },
  'classes from images': {
    table: table([tensorColumn('pixels', [2, 4, 4], pixels)], kinds, parts),
    fields: { architecture: { cnn: { channels: [4], kernel: 3, hidden: [], dropout: 0.2 } } },
  },
  'classes from tokens': {
    table: table([tokensColumn('tokens', sequences)], kinds, parts),
    fields: {
      architecture: {
        transformer: {
          layers: 1,
          width: 8,
          heads: 2,
          feedForward: 8,
          dropout: 0,
          positions: 'LEARNED',
          norm: 'PRE',
          pooling: 'CLS',
        },
      },
    },
  },
};

beforeAll(() => {
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
});

const cases = (['ORT_CPU', 'ORT_WASM', 'TFJS', 'ORT_WEBGPU'] as const).flatMap((engine) =>
  Object.keys(TABLES).map((title) => ({ engine, title })),
);
test.for(cases)('$engine: $title', { timeout: 60_000 }, async ({ engine: name, title }, { skip }) => {
  skip(name === 'ORT_WEBGPU' && !existsSync(SWIFTSHADER), `no ${SWIFTSHADER}: apt-get install chromium libvulkan1`);
  const one = TABLES[title];
  if (!one) throw new Error(`no table ${title}`);
  const budget = { maxEpochs: 2, maxSeconds: null, patience: null };
  const spec = runSpec(one.table, { ...one.fields, engine: name, budget, batchSize: 16 });
  const { engine } = await openEngine(name, { threads: 1 });
  const dataset = {
    columns: one.table.columns.map(({ name: column, kind }) => ({ name: column, kind })),
    missingValues: ['?'],
  };
  const quiet = { onBeat: () => {}, onStep: () => {} };
  const losses: number[] = [];
  const onEpoch = ({ trainLoss }: { trainLoss: number }) => losses.push(trainLoss);
  const made = await make({ engine, spec, table: one.table, dataset, from: null, onEpoch, ...quiet });
  expect(losses.every(Number.isFinite)).toBe(true);
  const { parity } = await evaluateAtEdge(await nodeRuntime(), made, () => {});
  expect(parity).toMatchObject({ engine: name, rows: ROWS / 5, tolerance: toleranceOf(name) });
  expect(parity.maxAbsDiff).toBeLessThan(1e-4); // far inside: it is the same graph
});
