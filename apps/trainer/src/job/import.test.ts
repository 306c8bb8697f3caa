/** Imports of models from elsewhere against the answers that were published with them, in the edge's own runtime. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Feeds, Tensor } from '@anneal/edge/engine';
import { nodeRuntime } from '@anneal/edge/engine/node';
import { describe, expect, test } from 'vitest';
import { greysOf } from '../../../../test/conformance/real-models.ts';
import { sharedPath } from '../../../../test/shared.ts';
import type { ImportSpec } from '../contract.ts';
import { requiredInputs } from '../import/nodes.ts';
import { decodeModel, decodeTensor } from '../ir/decode.ts';
import { numbersOf } from '../ir/tensor.ts';
import { sha256 } from './digest.ts';
import { importModel } from './import.ts';

/** An import without anything said of the model. */
function specOf(bytes: Uint8Array, more: Partial<ImportSpec> = {}): ImportSpec {
  const source = { digest: sha256(bytes), byteLength: bytes.byteLength, filename: 'model.onnx' };
  const none = {
    ...{ signature: null, labels: null, positiveClass: null, threshold: null },
    ...{ preprocessing: null, data: null },
  };
  return { formatVersion: 1, kind: 'IMPORT', source, ...none, ...more };
}

function run(bytes: Uint8Array, more: Partial<ImportSpec> = {}) {
  return importModel({ bytes, spec: specOf(bytes, more), table: null, runtime: nodeRuntime, beat: () => {} });
}

/** Numbers or texts as a tensor of the type that io.json names. */
function tensorFrom(type: string, dims: number[], data: (number | string)[]): Tensor {
  if (type === 'tensor(string)') return { type: 'string', dims, data: data.map(String) };
  const numbers = data.map(Number);
  if (type === 'tensor(int64)') return { type: 'int64', dims, data: BigInt64Array.from(numbers, BigInt) };
  if (type === 'tensor(int32)') return { type: 'int32', dims, data: Int32Array.from(numbers) };
  return { type: 'float32', dims, data: Float32Array.from(numbers) };
}

interface Expected {
  origin: string;
  inputs: Record<string, { type: string; shape: number[]; data?: (number | string)[] }>;
  outputs: Record<string, { data?: number[]; samples?: [number, number][]; value?: Record<string, number>[] }>;
}

/** The published inputs: in io.json, a file of their own, a picture, or (as its origin says) 0/n, 1/n, 2/n, ... */
function feedsOf(folder: string, io: Expected): Feeds {
  const entries = Object.entries(io.inputs).map(([name, { type, shape, data }]): [string, Tensor] => {
    if (data) return [name, tensorFrom(type, shape, data)];
    const file = path.join(folder, 'test_data_set_0/input_0.pb');
    if (existsSync(file)) return [name, tensorFrom(type, shape, numbersOf(decodeTensor(readFileSync(file))))];
    const picture = path.join(folder, 'input_y_224.png');
    if (existsSync(picture)) return [name, tensorFrom(type, shape, [...greysOf(readFileSync(picture)).values])];
    expect(io.origin).toContain('arange');
    const size = shape.reduce((product, dim) => product * dim, 1);
    return [
      name,
      tensorFrom(
        type,
        shape,
        Array.from({ length: size }, (_, i) => i / size),
      ),
    ];
  });
  return Object.fromEntries(entries);
}

function expectClose(got: ArrayLike<unknown>, expected: readonly (readonly [number, number])[]): void {
  expect(expected.length).toBeGreaterThan(0);
  for (const [index, value] of expected)
    expect(Math.abs(Number(got[index]) - value)).toBeLessThanOrEqual(1e-4 + 1e-4 * Math.abs(value));
}

const folder = sharedPath('data/onnx_models');
const models = folder ? readdirSync(folder).filter((name) => !name.endsWith('.json')) : [];

if (folder)
  describe('models that others made', () => {
    for (const name of models.filter((model) => !model.startsWith('bad_')))
      test(`${name} answers as published`, async () => {
        const at = path.join(folder, name);
        const bytes = readFileSync(path.join(at, 'model.onnx'));
        const { artifact, manifest, report } = await run(bytes);
        if (!('kind' in manifest)) throw new Error('expected a model of tensors');
        expect(manifest.artifact).toEqual({ digest: sha256(artifact), byteLength: artifact.byteLength });
        expect(report.sourceDigest).toBe(sha256(bytes));
        const io: Expected = JSON.parse(readFileSync(path.join(at, 'io.json'), 'utf8'));
        const names = requiredInputs(decodeModel(bytes)).map((input) => input.name);
        expect(manifest.inputs.map((input) => input.name)).toEqual(names);
        const session = (await nodeRuntime()).createSession(artifact);
        const outputs = session.run(feedsOf(at, io));
        for (const [output, { data, samples, value }] of Object.entries(io.outputs)) {
          const scores = value?.flatMap((row) => Object.values(row));
          expectClose(outputs[output]?.data ?? [], samples ?? [...(data ?? scores ?? []).entries()]);
          const found = manifest.outputs.find((tensor) => tensor.name === output)?.shape ?? [];
          const dims = outputs[output]?.dims ?? [];
          expect(found.map((size, axis) => (size === -1 ? dims[axis] : size))).toEqual(dims);
        }
      }, 60_000);

    const refused: Record<string, [code: string, message: RegExp]> = {
      bad_custom_op: ['CUSTOM_DOMAIN', /node 0 \(CustomOpOne.*CustomOpOne of domain "test.customop", opset/],
      bad_no_opset: ['OPSET_UNSUPPORTED', /no opset_import/],
      bad_opset_314159: ['OPSET_UNSUPPORTED', /"ai.onnx" is 314159; known are 1 to 26/],
    };
    for (const [name, [code, message]] of Object.entries(refused))
      test(`${name} is refused`, async () => {
        const bytes = readFileSync(path.join(folder, name, 'model.onnx'));
        await expect(run(bytes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      });

    test('bad_opset6_gemm is converted and computes x w^T + b', async () => {
      const bytes = readFileSync(path.join(folder, 'bad_opset6_gemm', 'model.onnx'));
      const { artifact, report } = await run(bytes);
      expect(report.opset).toEqual({ source: 6, served: 7 });
      expect(report.changes.join()).toContain('Gemm');
      const { graph } = decodeModel(bytes);
      const weights = graph.initializers.map((tensor) => ({ dims: tensor.dims, numbers: numbersOf(tensor) }));
      const w = weights.find(({ dims }) => dims.length === 2);
      const b = weights.find(({ dims }) => dims.length === 1);
      const [rows = 0, width = 0] = w?.dims ?? [];
      const x = Float32Array.from({ length: 2 * width }, (_, i) => Math.sin(i));
      const session = (await nodeRuntime()).createSession(artifact);
      const [input] = session.inputs;
      const batch = typeof input?.shape[0] === 'number' && input.shape[0] > 0 ? input.shape[0] : 2;
      const data = Float32Array.from({ length: batch * width }, (_, i) => x[i % x.length] ?? 0);
      const outputs = session.run({ [input?.name ?? '']: { type: 'float32', dims: [batch, width], data } });
      const expected = Array.from({ length: batch * rows }, (_, i): [number, number] => {
        const [n, r] = [Math.floor(i / rows), i % rows];
        let sum = b?.numbers[r] ?? 0;
        for (let k = 0; k < width; k++) sum += (data[n * width + k] ?? 0) * (w?.numbers[r * width + k] ?? 0);
        return [i, sum];
      });
      expectClose(Object.values(outputs)[0]?.data ?? [], expected);
    });

    test('the same bytes give the same bytes', async () => {
      const bytes = readFileSync(path.join(folder, 'logreg_iris', 'model.onnx'));
      const [a, b] = [await run(bytes), await run(bytes)];
      expect(a.artifact).toEqual(b.artifact);
      expect(a.report).toEqual(b.report);
    });
  });
