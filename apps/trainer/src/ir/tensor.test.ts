/** JavaScript numbers <-> bytes of every element type, against values from the formats' definitions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSmall, encodeSmall, SMALL_FLOATS } from './small-floats.ts';
import { numbersOf, tensorOf } from './tensor.ts';
import type { DataType } from './types.ts';

const bytesOf = (type: DataType, values: readonly number[]) => [...tensorOf('t', type, [values.length], values).data];

describe('small floats', () => {
  // Bits and numbers from the tables of https://onnx.ai/onnx/technical/float8.html and IEEE 754.
  test.each<[keyof typeof SMALL_FLOATS, number, number]>([
    ['FLOAT16', 0x3c00, 1],
    ['FLOAT16', 0xc000, -2],
    ['FLOAT16', 0x7bff, 65504],
    ['FLOAT16', 0x0001, 2 ** -24],
    ['FLOAT16', 0x0400, 2 ** -14],
    ['FLOAT16', 0x7c00, Number.POSITIVE_INFINITY],
    ['FLOAT16', 0x7e00, Number.NaN],
    ['FLOAT16', 0x8000, -0],
    ['BFLOAT16', 0x3f80, 1],
    ['BFLOAT16', 0x4049, 3.140625],
    ['BFLOAT16', 0xff80, Number.NEGATIVE_INFINITY],
    ['FLOAT8E4M3FN', 0x7e, 448],
    ['FLOAT8E4M3FN', 0x7f, Number.NaN],
    ['FLOAT8E4M3FN', 0x01, 2 ** -9],
    ['FLOAT8E4M3FNUZ', 0x7f, 240],
    ['FLOAT8E4M3FNUZ', 0x80, Number.NaN],
    ['FLOAT8E5M2', 0x7b, 57344],
    ['FLOAT8E5M2', 0x01, 2 ** -16],
    ['FLOAT8E5M2FNUZ', 0x7f, 57344],
    ['FLOAT8E5M2FNUZ', 0x80, Number.NaN],
    ['FLOAT4E2M1', 0x7, 6],
    ['FLOAT4E2M1', 0x9, -0.5],
  ])('%s %i is %d', (type, bits, number) => {
    expect(decodeSmall(SMALL_FLOATS[type], bits)).toBe(number);
    expect(encodeSmall(SMALL_FLOATS[type], number)).toBe(bits);
  });

  test.each<[keyof typeof SMALL_FLOATS, number, number]>([
    ['FLOAT16', 65519, 65504], // below the middle to the next, which would be 65536
    ['FLOAT16', 65520, Number.POSITIVE_INFINITY],
    ['FLOAT16', 2049, 2048], // ties go to the even mantissa
    ['FLOAT16', 2051, 2052],
    ['FLOAT16', 2 ** -25, 0],
    ['BFLOAT16', 1.00390625, 1],
    ['FLOAT8E4M3FN', 1e6, 448],
    ['FLOAT8E5M2', Number.NEGATIVE_INFINITY, -57344],
    ['FLOAT8E4M3FNUZ', -1e-9, 0],
    ['FLOAT4E2M1', 5, 4],
    ['FLOAT4E2M1', Number.NaN, 6],
  ])('%s rounds %d to %d', (type, number, rounded) => {
    expect(decodeSmall(SMALL_FLOATS[type], encodeSmall(SMALL_FLOATS[type], number))).toBe(rounded);
  });

  test('every pattern that is a number comes back', () => {
    for (const format of Object.values(SMALL_FLOATS))
      for (let bits = 0; bits < 2 ** (1 + format.exponent + format.mantissa); bits++) {
        const number = decodeSmall(format, bits);
        if (Number.isFinite(number)) expect(encodeSmall(format, number)).toBe(bits);
      }
  });

  test('FLOAT16 rounds as the machine does', () => {
    // DataView's float16 is an outside judge where the JavaScript engine has it.
    const view = new DataView(new ArrayBuffer(2));
    const set: unknown = Reflect.get(view, 'setFloat16');
    if (typeof set !== 'function') throw new Error('this JavaScript engine has no DataView.setFloat16');
    fc.assert(
      fc.property(fc.oneof(fc.float({ noNaN: true }), fc.float({ min: -70000, max: 70000, noNaN: true })), (number) => {
        set.call(view, 0, number);
        expect(encodeSmall(SMALL_FLOATS.FLOAT16, number)).toBe(view.getUint16(0));
      }),
      { seed: 1, numRuns: 20_000 },
    );
  });
});

describe('tensors', () => {
  test('small integers share bytes, the first lowest', () => {
    expect(bytesOf('INT4', [1, -2, 7])).toEqual([0xe1, 0x07]);
    expect(bytesOf('UINT4', [15, 1])).toEqual([0x1f]);
    expect(bytesOf('INT2', [1, -2, -1, 0, 1])).toEqual([0b00111001, 0b01]);
  });

  test.each<[DataType, number[]]>([
    ['FLOAT', [1.5, -0.25, 0]],
    ['DOUBLE', [Math.PI, -1e300]],
    ['FLOAT16', [0.5, -65504, 1 / 1024]],
    ['BFLOAT16', [1, -2.5]],
    ['FLOAT8E4M3FN', [448, -0.5]],
    ['FLOAT8E4M3FNUZ', [240, 1]],
    ['FLOAT8E5M2', [57344, -1]],
    ['FLOAT8E5M2FNUZ', [57344, -1]],
    ['FLOAT4E2M1', [0.5, -6, 3]],
    ['INT64', [-1, 2 ** 53 - 1]],
    ['UINT64', [0, 2 ** 40]],
    ['INT32', [-(2 ** 31), 5]],
    ['UINT32', [2 ** 32 - 1]],
    ['INT16', [-32768, 1]],
    ['UINT16', [65535]],
    ['INT8', [-128, 127]],
    ['UINT8', [255, 0]],
    ['INT4', [-8, 7, 0]],
    ['UINT4', [15, 0, 9]],
    ['INT2', [-2, 1, 0]],
    ['UINT2', [3, 0, 1, 2, 3]],
    ['BOOL', [1, 0]],
  ])('%s keeps its numbers', (type, values) => {
    expect(numbersOf(tensorOf('t', type, [values.length], values))).toEqual(values);
  });

  test('scales of powers of two are read', () => {
    const data = Uint8Array.of(127, 130, 255);
    expect(numbersOf({ name: 't', type: 'FLOAT8E8M0', dims: [3], data })).toEqual([1, 8, Number.NaN]);
  });

  test.each<[string, () => unknown, string]>([
    ['too few values', () => tensorOf('t', 'FLOAT', [2, 2], [1]), 'tensor "t": FLOAT [2,2] needs 4 values; got 1'],
    ['an integer of too many bits', () => tensorOf('t', 'INT4', [1], [8]), 'INT4 holds integers from -8 to 7; got 8'],
    ['complex numbers', () => tensorOf('t', 'COMPLEX64', [1], [1]), 'COMPLEX64 cannot be made from JavaScript values'],
  ])('refuse %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});
