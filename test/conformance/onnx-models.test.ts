/**
 * Real model files of others: what ONNX Runtime loads goes through our codec and gives the outputs that were published
 * with it; the bad_* ones are refused by name of what is wrong.
 */
import { describe, expect, test } from 'vitest';
import { checkModel } from '../../apps/trainer/src/ir/check.ts';
import { decodeModel } from '../../apps/trainer/src/ir/decode.ts';
import { encodeModel } from '../../apps/trainer/src/ir/encode.ts';
import { OnnxError } from '../../apps/trainer/src/ir/errors.ts';
import { elementOf, shapeOf } from '../../apps/trainer/src/ir/infer/fact.ts';
import { inferTypes } from '../../apps/trainer/src/ir/infer/infer.ts';
import { sorted } from '../../apps/trainer/src/ir/sort.ts';
import { numbersOf } from '../../apps/trainer/src/ir/tensor.ts';
import { bytesOf, distance, feedsOf, names, tensors } from './real-models.ts';
import { crosses, load } from './runtime.ts';

describe.skipIf(names.length === 0)('real models', () => {
  test.each(names.filter((name) => !name.startsWith('bad_')))(
    '%s computes the same after the round trip',
    async (name) => {
      const bytes = bytesOf(name);
      const model = decodeModel(bytes);
      const copy = encodeModel(model);
      expect(decodeModel(copy)).toEqual(model);
      checkModel(sorted(model));

      const given = feedsOf(name, model);
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
