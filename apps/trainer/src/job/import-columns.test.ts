/** Imported models behind named columns, and what is refused: models built here, answers worked out by hand. */
import { existsSync, readFileSync } from 'node:fs';
import type { Manifest } from '@anneal/edge/contract';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { predict } from '@anneal/edge/predict';
import proto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { sharedPath } from '../../../../test/shared.ts';
import type { ImportPreprocessing, ImportSpec, Table } from '../contract.ts';
import { column, table, tensorColumn } from '../data/testing.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { tensorOf } from '../ir/tensor.ts';
import type { Attribute, Model, ValueType } from '../ir/types.ts';
import { sha256 } from './digest.ts';
import { type Imported, importModel } from './import.ts';

const { onnx } = proto;

function run(bytes: Uint8Array, more: Partial<ImportSpec> = {}, data: Table | null = null): Promise<Imported> {
  const source = { digest: sha256(bytes), byteLength: bytes.byteLength, filename: 'model.onnx' };
  const spec: ImportSpec = {
    ...{ formatVersion: 1, kind: 'IMPORT', source, signature: null, labels: null, preprocessing: null, data: null },
    ...{ positiveClass: null, threshold: null },
    ...more,
  };
  return importModel({ bytes, spec, table: data, runtime: nodeRuntime, beat: () => {} });
}

function preprocessing(columns: string[], more: Partial<ImportPreprocessing> = {}): ImportPreprocessing {
  return { columns, input: null, output: null, mean: null, scale: null, activation: 'NONE', ...more };
}

function rowManifest({ manifest }: Imported): Manifest {
  if ('kind' in manifest) throw new Error('expected a model of columns');
  return manifest;
}

const refusal = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

const WEIGHTS = [0.5, -0.25, 2];

/** x [N,3] -> x·w + 0.125 [N,1], its names as awkward as can be. */
function logit(finish: (value: Value) => Value = (value) => value): Model {
  const g = new GraphBuilder('logit');
  const x = g.input('value', 'FLOAT', ['N', 3]);
  const w = g.initializer('probabilities', 'FLOAT', [3, 1], WEIGHTS);
  g.output('a', finish(op.Add(op.MatMul(x, w), 0.125)));
  return g.model();
}

const dot = (row: number[]) => row.reduce((sum, x, i) => sum + x * (WEIGHTS[i] ?? 0), 0.125);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const ROWS = [
  [1, 2, 3],
  [-1, 0.5, -2],
  [0, 0, 0],
  [4, -4, 0.25],
];

function dataOf(of: Table, target: 'BINARY' | 'REGRESSION'): NonNullable<ImportSpec['data']> {
  const features = of.columns.map(({ name }) => ({ name, kind: 'NUMERIC' as const }));
  const { name, classes } = of.target;
  const positiveClass = target === 'BINARY' ? (classes?.at(-1) ?? null) : null;
  return { datasetDigest: '0'.repeat(64), task: target, target: name, classes, positiveClass, features };
}

const columns = ['value', 'b', 'probabilities'].map((name, i) =>
  column(
    name,
    ROWS.map((row) => row[i] ?? 0),
  ),
);
const parts = ['TRAIN', 'TEST', 'TEST', 'TEST'] as const;

describe('models behind columns', () => {
  test('one logit of two classes, standardised, evaluated on the TEST rows', async () => {
    const data = table(columns, ['no', 'yes', 'no', 'yes'], parts);
    const given = preprocessing(['value', 'b', 'probabilities'], {
      mean: [1, 0, 2],
      scale: [2],
      activation: 'SIGMOID',
    });
    const made = await run(encodeModel(logit()), { preprocessing: given, data: dataOf(data, 'BINARY') }, data);
    const expected = ROWS.map(([a = 0, b = 0, c = 0]) => sigmoid(dot([(a - 1) / 2, b / 2, (c - 2) / 2])));
    expect(rowManifest(made)).toMatchObject({
      task: 'BINARY',
      classes: ['no', 'yes'],
      positiveClass: 'yes',
      threshold: 0.5,
    });
    expect(made.predictions).toMatchObject({ kind: 'CLASSES', rows: [1, 2, 3], classes: ['no', 'yes'] });
    if (made.predictions?.kind !== 'CLASSES') throw new Error('expected classes');
    made.predictions.probabilities.forEach(([no, yes], i) => {
      expect(yes).toBeCloseTo(expected[i + 1] ?? 0, 5);
      expect(no).toBeCloseTo(1 - (expected[i + 1] ?? 0), 5);
    });
    expect(made.predictions.labels).toEqual(expected.slice(1).map((p) => (p >= 0.5 ? 1 : 0)));
  });

  test('the positive class and its threshold as they were given', async () => {
    const data = table(columns, ['no', 'yes', 'no', 'yes'], parts);
    const given = { positiveClass: 'no', threshold: 0.9, data: dataOf(data, 'BINARY') };
    const made = await run(encodeModel(logit()), given, data);
    expect(rowManifest(made)).toMatchObject({ classes: ['no', 'yes'], positiveClass: 'no', threshold: 0.9 });
    if (made.predictions?.kind !== 'CLASSES') throw new Error('expected classes');
    const p = ROWS.slice(1).map((row) => 1 - sigmoid(dot(row)));
    expect(made.predictions.labels).toEqual(p.map((no) => (no >= 0.9 ? 0 : 1)));
    expect(new Set(made.predictions.labels).size).toBe(2);
    const of = (more: Partial<ImportSpec>) =>
      run(encodeModel(logit()), { data: dataOf(data, 'BINARY'), ...more }, data);
    await expect(of({ positiveClass: 'maybe' })).rejects.toMatchObject(
      refusal('LABELS_DIFFER', /positiveClass is "maybe"; the classes are no, yes/),
    );
    const numbers = table(columns, [1, 2, 3, 4], parts);
    const regression = { threshold: 0.5, data: dataOf(numbers, 'REGRESSION') };
    await expect(run(encodeModel(logit()), regression, numbers)).rejects.toMatchObject(
      refusal('LABELS_DIFFER', /are for two classes; the model predicts numbers/),
    );
  });

  test('numbers, columns in the order of the data without being told', async () => {
    const data = table(columns, [1, 2, 3, 4], parts);
    const made = await run(encodeModel(logit()), { data: dataOf(data, 'REGRESSION') }, data);
    expect(made.predictions?.kind).toBe('VALUES');
    if (made.predictions?.kind !== 'VALUES') return;
    made.predictions.values.forEach((value, i) => {
      expect(value).toBeCloseTo(dot(ROWS[i + 1] ?? []), 5);
    });
    expect(made.report.changes.join()).toContain('columns in the order of the data: value, b, probabilities');
  });

  test('a graph that ends with Sigmoid already has probabilities', async () => {
    const data = table(columns, ['no', 'yes', 'no', 'yes'], parts);
    const made = await run(encodeModel(logit(op.Sigmoid)), { data: dataOf(data, 'BINARY') }, data);
    if (made.predictions?.kind !== 'CLASSES') throw new Error('expected classes');
    expect(made.predictions.probabilities[0]?.[1]).toBeCloseTo(sigmoid(dot(ROWS[1] ?? [])), 5);
  });

  test('the same columns give the same bytes', async () => {
    const given = { preprocessing: preprocessing(['a', 'b', 'c'], { activation: 'SIGMOID' }), labels: ['x', 'y'] };
    const [a, b] = [await run(encodeModel(logit()), given), await run(encodeModel(logit()), given)];
    expect(a.artifact).toEqual(b.artifact);
  });
});

describe('refusals', () => {
  const bytes = encodeModel(logit());

  test('columns, labels and signature that do not fit', async () => {
    await expect(run(bytes, { preprocessing: preprocessing(['a', 'b']) })).rejects.toMatchObject(
      refusal('COLUMNS_DIFFER', /takes 3 numbers a row, and 2 columns were named/),
    );
    const labels = ['x', 'y', 'z'];
    const columns = preprocessing(['a', 'b', 'c']);
    await expect(run(bytes, { preprocessing: columns, labels })).rejects.toMatchObject(
      refusal('LABELS_DIFFER', /1 numbers a row; 3 labels/),
    );
    await expect(run(bytes, { labels })).rejects.toMatchObject(refusal('LABELS_DIFFER', /no output has 3 numbers/));
    const signature = { inputs: [{ name: 'value', datatype: 'FP64', shape: [-1, 3] }], outputs: null };
    await expect(run(bytes, { signature })).rejects.toMatchObject(
      refusal('SIGNATURE_DIFFERS', /"value" was declared as FP64 \[-1,3\]; the model has FP32 \[-1,3\]/),
    );
    const outputs = [{ name: 'a', datatype: 'FP32', shape: [-1, 1] }];
    await expect(run(bytes, { signature: { inputs: null, outputs } })).resolves.toBeDefined();
  });

  test('bytes that are no model, and external data', async () => {
    await expect(run(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ code: 'ONNX_INVALID' });
    const model = onnx.ModelProto.decode(bytes);
    const [weights] = model.graph?.initializer ?? [];
    if (!weights) throw new Error('no initializer');
    weights.rawData = new Uint8Array();
    weights.externalData = [{ key: 'location', value: '/etc/passwd' }];
    weights.dataLocation = 1;
    await expect(run(onnx.ModelProto.encode(model).finish())).rejects.toMatchObject(
      refusal('EXTERNAL_DATA', /Save the model with its weights inside/),
    );
  });

  test('operators that no opset has, or that the runtime of the edge has not', async () => {
    const as = (domain: string, type: string): Uint8Array => {
      const model = logit();
      const nodes = model.graph.nodes.map((node) =>
        node.type === 'Add' ? { ...node, domain, type, inputs: node.inputs.slice(0, 1) } : node,
      );
      const opsets = domain === '' ? model.opsets : [...model.opsets, { domain, version: 1 }];
      return encodeModel({ ...model, opsets, graph: { ...model.graph, nodes } });
    };
    await expect(run(as('', 'Plus'))).rejects.toMatchObject(
      refusal('OPERATOR_UNSUPPORTED', /operator Plus of domain "ai.onnx", opset 21: no opset has it/),
    );
    await expect(run(as('com.microsoft', 'Plus'))).rejects.toMatchObject(refusal('OPERATOR_UNSUPPORTED', /Plus/));
    await expect(run(as('com.microsoft', 'Gelu'))).resolves.toBeDefined();
  });

  test('outputs that are no tensors, or of numbers that are not carried', async () => {
    const g = new GraphBuilder('typed');
    const x = g.input('x', 'FLOAT', ['N', 2]);
    g.output('y', op.Cast(x, 'DOUBLE'));
    const base = g.model();
    const typed = (type: string, output: ValueType, attributes: [string, Attribute][]) => {
      const node = { name: '', type, domain: '', inputs: ['x'], outputs: ['y'], attributes: new Map(attributes) };
      return encodeModel({ ...base, graph: { ...base.graph, nodes: [node], outputs: [{ name: 'y', type: output }] } });
    };
    const tensor: ValueType = { kind: 'TENSOR', type: 'FLOAT', shape: null };
    const sequence = typed('SequenceConstruct', { kind: 'SEQUENCE', of: tensor }, []);
    await expect(run(sequence)).rejects.toMatchObject(
      refusal('TYPE_UNSUPPORTED', /output "y" is a sequence of a tensor of FLOAT/),
    );
    const brain = typed('Cast', { ...tensor, type: 'BFLOAT16' }, [['to', { type: 'INT', value: 16n }]]);
    await expect(run(brain)).rejects.toMatchObject(refusal('TYPE_UNSUPPORTED', /"y" is a tensor of BFLOAT16/));
  });

  test('a model of 40 MB, with the heap that it was measured to need', async () => {
    const g = new GraphBuilder('large');
    const x = g.input('x', 'FLOAT', ['N', 1000]);
    const w = Float32Array.from({ length: 10_000_000 }, (_, i) => Math.sin(i));
    g.output('y', op.MatMul(x, g.initializer('w', 'FLOAT', [1000, 10_000], w)));
    const refused = await run(encodeModel(g.model())).catch((error: unknown) => error);
    expect(refused).toMatchObject(refusal('TOO_LARGE_FOR_EDGE', /38.1 MiB .*needs a heap of [\d.]+ MiB, measured/));
    const need = Number(/heap of ([\d.]+) MiB/.exec(String(refused))?.[1]);
    expect(need).toBeGreaterThan(96);
  }, 60_000);

  test('a constant that no heap has room for, in a file of a few bytes', async () => {
    const g = new GraphBuilder('hollow');
    g.output('y', op.Relu(g.input('x', 'FLOAT', ['N', 1])));
    const base = g.model();
    const node = (type: string, inputs: string[], output: string) => {
      return { name: '', type, domain: '', inputs, outputs: [output], attributes: new Map() };
    };
    const nodes = [
      node('ConstantOfShape', ['shape'], 'big'),
      node('ReduceMax', ['big'], 'most'),
      node('Add', ['x', 'most'], 'y'),
    ];
    const initializers = [tensorOf('shape', 'INT64', [2], [6000, 6000])];
    const refused = run(encodeModel({ ...base, graph: { ...base.graph, nodes, initializers } }));
    await expect(refused).rejects.toMatchObject(refusal('TOO_LARGE_FOR_EDGE', /needs a heap of/));
  }, 60_000);
});

const mnist = sharedPath('data/onnx_models/mnist_cntk');
if (mnist)
  test('a picture model behind one column of tensors', async () => {
    const bytes = readFileSync(`${mnist}/model.onnx`);
    const io: { inputs: Record<string, { data: number[] }>; outputs: Record<string, { data: number[] }> } = JSON.parse(
      readFileSync(`${mnist}/io.json`, 'utf8'),
    );
    const pixels = Object.values(io.inputs)[0]?.data ?? [];
    const logits = Object.values(io.outputs)[0]?.data ?? [];
    expect([pixels.length, logits.length]).toEqual([784, 10]);
    const classes = Array.from({ length: 10 }, (_, i) => String(i));
    const three = Float32Array.from([...pixels, ...pixels, ...pixels]);
    const data = table([tensorColumn('image', [28, 28], three)], classes.slice(0, 3), ['TRAIN', 'TEST', 'TEST']);
    const features = [{ name: 'image', kind: 'TENSOR' as const, shape: [28, 28] }];
    const about = { datasetDigest: '0'.repeat(64), task: 'MULTICLASS' as const, target: 'target', positiveClass: null };
    const made = await run(bytes, { data: { ...about, classes, features } }, data);
    const most = Math.max(...logits);
    const sum = logits.reduce((total, x) => total + Math.exp(x - most), 0);
    if (made.predictions?.kind !== 'CLASSES') throw new Error('expected classes');
    expect(made.predictions.probabilities).toHaveLength(2);
    for (const row of made.predictions.probabilities)
      row.forEach((p, i) => {
        expect(p).toBeCloseTo(Math.exp((logits[i] ?? 0) - most) / sum, 4);
      });
  });

const iris = sharedPath('data/onnx_models/logreg_iris');
if (iris && existsSync(`${iris}/io.json`))
  test('a scikit-learn classifier keeps the names of its classes', async () => {
    const bytes = readFileSync(`${iris}/model.onnx`);
    const made = await run(bytes, { preprocessing: preprocessing(['length', 'width']) });
    const manifest = rowManifest(made);
    expect(manifest).toMatchObject({ task: 'MULTICLASS', classes: ['0', '1', '2'], threshold: null });
    const session = (await nodeRuntime()).createSession(made.artifact);
    const said = predict(session, manifest, [
      { length: 5.1, width: 3.5 },
      { length: 6, width: 2.2 },
    ]);
    expect(said.map((prediction) => ('label' in prediction ? prediction.probabilities['0'] : 0))).toEqual([
      expect.closeTo(0.97825, 4),
      expect.closeTo(0.77916, 4),
    ]);
  });
