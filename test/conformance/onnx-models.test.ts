/**
 * Real model files of others: what ONNX Runtime loads goes through our codec and gives the outputs that were published
 * with it; the bad_* ones are refused by name of what is wrong.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkModel } from '../../apps/trainer/src/ir/check.ts';
import { decodeModel, decodeTensor } from '../../apps/trainer/src/ir/decode.ts';
import { encodeModel } from '../../apps/trainer/src/ir/encode.ts';
import { OnnxError } from '../../apps/trainer/src/ir/errors.ts';
import { elementOf, shapeOf } from '../../apps/trainer/src/ir/infer/fact.ts';
import { inferTypes } from '../../apps/trainer/src/ir/infer/infer.ts';
import { sorted } from '../../apps/trainer/src/ir/sort.ts';
import { numbersOf, tensorOf } from '../../apps/trainer/src/ir/tensor.ts';
import type { Model, Tensor, ValueInfo } from '../../apps/trainer/src/ir/types.ts';
import { sharedPath } from '../shared.ts';
import { crosses, load } from './runtime.ts';

const folder = sharedPath('data/onnx_models');
if (!folder) console.warn('shared data absent: the tests with real models are skipped');

const names = folder
  ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  : [];
const bytesOf = (name: string) => readFileSync(path.join(String(folder), name, 'model.onnx'));

/** The tensors of a test data set: by the names that they bear, if the graph has those, else in the graph's order. */
function tensors(name: string, kind: 'input' | 'output', values: readonly ValueInfo[]): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  values.forEach((value, index) => {
    const file = path.join(String(folder), name, 'test_data_set_0', `${kind}_${index}.pb`);
    if (!existsSync(file) || !crosses(value)) return;
    const tensor = decodeTensor(readFileSync(file));
    const named = values.some((other) => other.name === tensor.name) ? tensor.name : value.name;
    found.set(named, { ...tensor, name: named });
  });
  return found;
}

/** The inputs that callers give: before IR version 4 initializers had to be listed as inputs too. */
function callerInputs({ graph }: Model): ValueInfo[] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  return graph.inputs.filter(({ name }) => !constants.has(name));
}

/** 0, 1/n, 2/n, ...: what the standard's own runner feeds to models without input data. */
function ramp({ name, type }: ValueInfo): Tensor {
  const shape = type?.kind === 'TENSOR' ? (type.shape ?? []) : [];
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = dims.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    name,
    'FLOAT',
    dims,
    Float32Array.from({ length: size }, (_, index) => index / size),
  );
}

describe.skipIf(!folder)('real models', () => {
  test.each(names.filter((name) => !name.startsWith('bad_')))(
    '%s computes the same after the round trip',
    async (name) => {
      const bytes = bytesOf(name);
      const model = decodeModel(bytes);
      const copy = encodeModel(model);
      expect(decodeModel(copy)).toEqual(model);
      checkModel(sorted(model));

      const inputs = callerInputs(model);
      const given = tensors(name, 'input', inputs);
      if (given.size === 0) for (const input of inputs) given.set(input.name, ramp(input));
      const outputs = model.graph.outputs.filter(crosses).map((output) => output.name);
      const before = await load(bytes);
      const after = await load(copy);
      const results = await after?.run(given, outputs);
      expect(results).toEqual(await before?.run(given, outputs));
      await before?.close();
      await after?.close();

      const facts = inferTypes(sorted(model), given);
      for (const [output, result] of results ?? []) {
        const fact = facts.get(output);
        expect(fact && elementOf(fact)).toBe(result.type);
        // A length that only the data decides may stay open; every other must be the real one.
        const shape = (fact && shapeOf(fact)) ?? [];
        expect(shape.map((dim, axis) => (typeof dim === 'number' ? dim : result.dims[axis]))).toEqual(result.dims);
      }
      for (const [output, expected] of tensors(name, 'output', model.graph.outputs)) {
        const result = results?.get(output);
        if (expected.type === 'STRING') expect(result?.data).toEqual(expected.data);
        else expect(distance(result ? numbersOf(result) : [], numbersOf(expected))).toBeLessThan(1e-4);
      }
      expect(results?.size).toBeGreaterThan(0);
    },
  );

  test.each([
    ['bad_custom_op', 'node 0 (CustomOpOne): the operators of domain "test.customop" are unknown here'],
    ['bad_opset_314159', 'opset_import "ai.onnx" must be in 1..26; it is 314159'],
    ['bad_no_opset', 'no opset_import'],
    ['bad_opset6_gemm', 'node 0 (Gemm): Gemm as ai.onnx 6 defines it is not supported, only as from 7 on'],
  ])('%s is refused', (name, message) => {
    const check = () => checkModel(decodeModel(bytesOf(name)));
    expect(check).toThrow(OnnxError);
    expect(check).toThrow(message);
  });

  test('a file that is not in topological order is refused until it is sorted', () => {
    const model = decodeModel(bytesOf('gpt2_tiny'));
    expect(() => checkModel(model)).toThrow('nodes must be in topological order');
    checkModel(sorted(model));
  });
});

/** Largest |a - b| / max(1, |b|). */
function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return b.reduce(
    (worst, value, at) => Math.max(worst, Math.abs((a[at] ?? Number.NaN) - value) / Math.max(1, Math.abs(value))),
    0,
  );
}
