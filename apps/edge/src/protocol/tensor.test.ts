import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Datatype } from '../contract.ts';
import type { Tensor } from '../engine/index.ts';
import { HttpError } from '../errors.ts';
import { DATATYPE, ENGINE_TYPE } from './datatype.ts';
import { parseExactJson } from './exact-json.ts';
import { halfToNumber } from './half.ts';
import { bytesOfTensor, tensorFromBytes } from './tensor-binary.ts';
import { floatText, jsonOfTensor, tensorFromJson } from './tensor-json.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const json = (text: string) => parseExactJson(utf8(text));
const WELL_FORMED = { unit: 'grapheme' } as const;

/** Arbitrary tensors of a datatype, up to 3 x 4 x 5. */
function tensors(datatype: Datatype): fc.Arbitrary<Tensor> {
  const dims = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
  return dims.chain((dims) => {
    const count = dims.reduce((product, d) => product * d, 1);
    const exactly = { minLength: count, maxLength: count };
    if (datatype === 'BYTES')
      return fc.array(fc.string(WELL_FORMED), exactly).map((data): Tensor => ({ type: 'string', dims, data }));
    const byte = datatype === 'BOOL' ? fc.integer({ min: 0, max: 1 }) : fc.integer({ min: 0, max: 255 });
    const width = bytesOfTensor(tensorFromJson(datatype === 'FP16' ? 'INT16' : datatype, [1], [0], 'one')).byteLength;
    const size = { minLength: count * width, maxLength: count * width };
    return fc.array(byte, size).map((bytes) => tensorFromBytes(datatype, dims, Uint8Array.from(bytes), 'any'));
  });
}

const refused = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof HttpError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe.each(Datatype.options)('%s', (datatype) => {
  test('is named both ways', () => {
    expect(DATATYPE[ENGINE_TYPE[datatype]]).toBe(datatype);
  });

  test('bytes -> tensor -> bytes are the same, every bit', () => {
    fc.assert(
      fc.property(tensors(datatype), (tensor) => {
        const again = tensorFromBytes(datatype, tensor.dims, bytesOfTensor(tensor), 'again');
        expect(bytesOfTensor(again)).toEqual(bytesOfTensor(tensor));
        expect(again.dims).toEqual(tensor.dims);
      }),
    );
  });

  // FP16 has no form in JSON
  if (datatype !== 'FP16')
    test('tensor -> JSON -> tensor is the same, or JSON cannot say it', () => {
      fc.assert(
        fc.property(tensors(datatype), (tensor) => {
          const numbers = tensor.type === 'float32' || tensor.type === 'float64' ? tensor.data : [];
          if (numbers.some((number) => !Number.isFinite(number))) {
            expect(refused(() => jsonOfTensor(tensor, 'output "y"'))).toContain('"binary_data": true');
            return;
          }
          const data = json(jsonOfTensor(tensor, 'output "y"'));
          if (!Array.isArray(data)) throw new Error('no array');
          expect(bytesOfTensor(tensorFromJson(datatype, tensor.dims, data, 'y'))).toEqual(bytesOfTensor(tensor));
        }),
      );
    });

  test('whatever JSON comes is read or refused with its place', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 4 }), (data) => {
        try {
          const tensor = tensorFromJson(datatype, [data.length], data, 'input "x"');
          expect(tensor.data).toHaveLength(data.length);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpError);
          expect(error).toHaveProperty('message', expect.stringContaining('input "x"'));
        }
      }),
    );
  });

  test('whatever bytes come are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 6 }), (bytes, count) => {
        try {
          expect(bytesOfTensor(tensorFromBytes(datatype, [count], bytes, 'x'))).toEqual(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpError);
        }
      }),
    );
  });
});

describe('elements of JSON', () => {
  const read = (datatype: Datatype, text: string) => {
    const data = json(`[${text}]`);
    if (!Array.isArray(data)) throw new Error('no array');
    return tensorFromJson(datatype, [data.length], data, 'x').data;
  };

  test.each<[Datatype, string, unknown]>([
    ['INT64', '9007199254740993, -9223372036854775808, 1', BigInt64Array.of(2n ** 53n + 1n, -(2n ** 63n), 1n)],
    ['UINT64', '18446744073709551615, 0', BigUint64Array.of(2n ** 64n - 1n, 0n)],
    ['UINT8', '0, 255, 1.0, 2e1', Uint8Array.of(0, 255, 1, 20)],
    ['INT8', '-128, 127', Int8Array.of(-128, 127)],
    ['BOOL', 'true, false, 1, 0', Uint8Array.of(1, 0, 1, 0)],
    [
      'FP32',
      '1, -0.5, 1e-45, null, 3.4028234663852886e38',
      Float32Array.of(1, -0.5, 1e-45, NaN, 3.4028234663852886e38),
    ],
    ['FP64', '9007199254740993, -0.0, 5e-324', Float64Array.of(9007199254740992, -0, 5e-324)],
    ['BYTES', '"", "é\\u0000\\ud83d\\ude00"', ['', 'é\0😀']],
  ])('%s %s', (datatype, text, data) => {
    expect(read(datatype, text)).toEqual(data);
  });

  test.each<[Datatype, string]>([
    ['INT64', '9223372036854775808'],
    ['INT64', '9007199254740993.0'],
    ['INT64', '1e18'],
    ['UINT64', '-1'],
    ['UINT64', '18446744073709551616'],
    ['UINT8', '256'],
    ['UINT8', '1.5'],
    ['INT8', '-129'],
    ['INT32', '"1"'],
    ['UINT32', 'true'],
    ['BOOL', '2'],
    ['BOOL', '"true"'],
    ['FP32', '3.5e38'],
    ['FP64', '1e999'],
    ['FP64', '"NaN"'],
    ['FP16', '1'],
    ['BYTES', '1'],
    ['BYTES', 'null'],
  ])('%s refuses %s', (datatype, text) => {
    expect(refused(() => read(datatype, text))).toMatch(/^x: /);
  });

  test('may be nested as the shape says, and not otherwise', () => {
    const of = (data: unknown[]) => tensorFromJson('INT32', [2, 1, 2], data, 'x').data;
    expect(of([[[1, 2]], [[3, 4]]])).toEqual(Int32Array.of(1, 2, 3, 4));
    expect(of([1, 2, 3, 4])).toEqual(Int32Array.of(1, 2, 3, 4));
    for (const data of [
      [[[1, 2]]],
      [[[1, 2]], [[3]]],
      [[[1, 2]], 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
      [1, 2, 3],
      [],
    ])
      expect(refused(() => of(data))).toContain('expected');
    expect(refused(() => of([[[1, 2]], [[3, 'x']]]))).toContain('"x" at [3]');
  });
});

test('integers keep their digits wherever they stand; floats and texts are left alone', () => {
  const text = '{"a":[12345678901234567890,-9007199254740993 ,[1]],"b":1.2345678901234567,"c":"12345678901234567"}';
  expect(json(text)).toEqual({
    a: [12345678901234567890n, -9007199254740993n, [1]],
    b: 1.2345678901234567,
    c: '12345678901234567',
  });
  expect(json('9007199254740993')).toBe(9007199254740992); // not within a value: nothing of ours reads such a body
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      const rounded = (_: string, member: unknown) => (typeof member === 'bigint' ? Number(member) : member);
      expect(JSON.stringify(json(text), rounded)).toBe(text);
    }),
  );
  expect(refused(() => json('{"a":NaN}'))).toContain('UTF-8 JSON');
  expect(refused(() => parseExactJson(Uint8Array.of(0x22, 0xff, 0x22)))).toContain('UTF-8 JSON');
});

test('halves are those of the language', () => {
  const bits = new Uint16Array(1);
  const half = new (halfArray())(bits.buffer);
  const different = Array.from({ length: 2 ** 16 }, (_, value) => value).filter((value) => {
    bits[0] = value;
    return !Object.is(halfToNumber(value), half[0]);
  });
  expect(different).toEqual([]);
});

/** Float16Array, which the project's lib does not declare yet. */
function halfArray(): new (buffer: ArrayBuffer) => ArrayLike<number> {
  return Reflect.get(globalThis, 'Float16Array');
}

test('float32 is written short and reads back', () => {
  expect([1.1, 0.1, 3, 16777216, -0, 1e-45].map((value) => floatText(Math.fround(value)))).toEqual([
    ...['1.1', '0.1', '3', '16777216', '-0', '1.401298e-45'],
  ]);
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Object.is(Math.fround(Number(floatText(value))), value)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
