import fc from 'fast-check';
import * as native from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { binaryModel, denseModel, doubleModel, echoModel } from '../../test/models.ts';
import { isOutOfMemory, ORT_CODE, type OrtRuntime } from './index.ts';
import { nodeRuntime } from './node.ts';

let runtime: OrtRuntime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

describe('a session', () => {
  test('describes its inputs and outputs', () => {
    const session = runtime.createSession(binaryModel());
    expect(session.inputs).toEqual([
      { name: 'age', type: 'float64', shape: ['N', 1] },
      { name: 'sex', type: 'string', shape: ['N', 1] },
    ]);
    expect(session.outputs).toEqual([{ name: 'probabilities', type: 'float32', shape: ['N', 2] }]);
    session.release();
  });

  test('answers as onnxruntime-node on any rows', async () => {
    const bytes = binaryModel(0.3);
    const session = runtime.createSession(bytes);
    const reference = await native.InferenceSession.create(bytes);
    const rows = fc.array(
      fc.record({
        age: fc.oneof(fc.double({ min: -1e6, max: 1e6 }), fc.constant(Number.NaN)),
        sex: fc.oneof(fc.constantFrom('male', 'female', ''), fc.string({ unit: 'binary' })),
      }),
      { minLength: 1, maxLength: 40 },
    );
    const check = fc.asyncProperty(rows, async (rows) => {
      const age = Float64Array.from(rows, (row) => row.age);
      const sex = rows.map((row) => row.sex.replaceAll('\0', ''));
      const dims = [rows.length, 1];
      const ours = session.run({
        age: { type: 'float64', dims, data: age },
        sex: { type: 'string', dims, data: sex },
      }).probabilities;
      const theirs = await reference.run({
        age: new native.Tensor('float64', age, dims),
        sex: new native.Tensor('string', sex, dims),
      });
      expect(ours?.dims).toEqual([rows.length, 2]);
      const expected = Array.from(theirs.probabilities?.data ?? [], Number);
      Array.from(ours?.data ?? [], Number).forEach((p, i) => {
        expect(p).toBeCloseTo(expected[i] ?? Number.NaN, 5);
      });
    });
    await fc.assert(check, { numRuns: 30 });
    session.release();
  });

  test.each([
    ['of the inputs’ dimensions', doubleModel()],
    ['of others', doubleModel('NonZero')],
    ['that are inputs', doubleModel('Neg', true)],
  ])('outputs %s: alike however often dimensions come again, and what was given stays', async (_, bytes) => {
    const session = runtime.createSession(bytes);
    const reference = await native.InferenceSession.create(bytes);
    const number = fc.oneof(fc.constant(0), fc.float({ noNaN: true, min: -8, max: 8 }));
    const batch = fc.array(number, { minLength: 2, maxLength: 3 });
    const check = fc.asyncProperty(fc.array(batch, { minLength: 4, maxLength: 12 }), async (batches) => {
      const given = batches.map((x) => {
        const data = Float32Array.from(x);
        return { data, outputs: session.run({ x: { type: 'float32', dims: [data.length], data } }) };
      });
      for (const { data, outputs } of given) {
        const expected = await reference.run({ x: new native.Tensor('float32', data, [data.length]) });
        for (const name of Object.keys(expected))
          expect(outputs[name]).toMatchObject({ dims: expected[name]?.dims, data: expected[name]?.data });
      }
    });
    await fc.assert(check, { numRuns: 40 });
    session.release();
  });

  test('carries strings out, any Unicode and empty ones', () => {
    const session = runtime.createSession(echoModel());
    const data = ['', 'a', 'ß', '日本', '😀', 'a', ''];
    const { same } = session.run({ text: { type: 'string', dims: [data.length, 1], data } });
    expect(same).toEqual({ type: 'string', dims: [data.length, 1], data });
    session.release();
  });

  test('takes no rows', () => {
    const session = runtime.createSession(binaryModel());
    const { probabilities } = session.run({
      age: { type: 'float64', dims: [0, 1], data: new Float64Array() },
      sex: { type: 'string', dims: [0, 1], data: [] },
    });
    expect(probabilities).toEqual({ type: 'float32', dims: [0, 2], data: new Float32Array() });
    session.release();
  });
});

describe('refusals', () => {
  const age = { type: 'float64' as const, dims: [1, 1], data: Float64Array.of(30) };

  test('a missing input and a wrong type are named', () => {
    const session = runtime.createSession(binaryModel());
    expect(() => session.run({ age })).toThrow('input "sex": expected string, got nothing');
    expect(() => session.run({ age, sex: age })).toThrow('input "sex": expected string, got float64[1,1] of 1 values');
    expect(() => session.run({ age: { ...age, dims: [2, 1] }, sex: age })).toThrow('input "age"');
    session.release();
  });

  test('a released session does not run', () => {
    const session = runtime.createSession(binaryModel());
    session.release();
    session.release();
    expect(() => session.run({ age })).toThrow(expect.objectContaining({ code: ORT_CODE.RELEASED }));
  });

  test('bytes that are no model', () => {
    expect(() => runtime.createSession(new TextEncoder().encode('no model'))).toThrow('cannot load the model');
    expect(runtime.aborted).toBe('');
  });

  test('a model too large for the heap is out of memory, and the runtime lives on', async () => {
    const small = await nodeRuntime(24 * 2 ** 20);
    const refusal = (() => {
      try {
        small.createSession(denseModel(2048));
      } catch (error) {
        return error;
      }
    })();
    expect(isOutOfMemory(refusal)).toBe(true);
    const session = small.createSession(denseModel(16));
    expect(session.outputs[0]?.name).toBe('y');
    expect(small.heapBytes).toBeLessThanOrEqual(24 * 2 ** 20);
  });

  test('no memory is lost by 2,000 runs and loads', () => {
    const bytes = binaryModel();
    const sex = { type: 'string' as const, dims: [1, 1], data: ['male'] };
    for (let i = 0; i < 200; i++) runtime.createSession(bytes).release();
    const session = runtime.createSession(bytes);
    const before = runtime.heapBytes;
    const stack = runtime.module.stackSave();
    for (let i = 0; i < 2_000; i++) session.run({ age, sex });
    for (let i = 0; i < 200; i++) runtime.createSession(bytes).release();
    expect(runtime.heapBytes).toBe(before);
    expect(runtime.module.stackSave()).toBe(stack);
    session.release();
  });
});
