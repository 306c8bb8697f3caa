/**
 * "Tensor Data" and "Tensor Data Types" of the Open Inference Protocol v2 (see oip.test.ts): every datatype through the
 * edge in workerd, as JSON and as bytes.
 */
import { describe, expect, test } from 'vitest';
import type { Datatype } from '../../apps/edge/src/contract.ts';
import { answered, binaryAnswer, binaryBody, infer, numbers, post, refused, texts, useStand } from './oip-stand.ts';

useStand();

describe('Tensor Data', () => {
  test('natural multi-dimensional or flattened one-dimensional, in row-major order', async () => {
    const echo = async (data: unknown) => {
      const inputs = [{ name: 'in', shape: [2, 2], datatype: 'INT32', data }];
      return (await answered(infer('echo-int32', { inputs }))).outputs[0];
    };
    const out = { name: 'out', shape: [2, 2], datatype: 'INT32', data: [1, 2, 4, 5] };
    expect(
      await echo([
        [1, 2],
        [4, 5],
      ]),
    ).toEqual(out);
    expect(await echo([1, 2, 4, 5])).toEqual(out);
  });

  test('fp16 is problematic to communicate explicitly: it is refused both ways', async () => {
    const json = { name: 'in', shape: [1, 1], datatype: 'FP16', data: [1] };
    expect(await refused(infer('echo-fp16', { inputs: [json] }))).toContain('binary');
    const input = { name: 'in', shape: [1, 1], datatype: 'FP16', parameters: { binary_data_size: 2 } };
    const { body, headers } = binaryBody({ inputs: [input] }, Uint16Array.of(0x3c00));
    expect(await refused(post('/v2/models/echo-fp16/infer', body, headers), 422)).toContain('"binary_data": true');
  });

  test('NaN and infinity are no JSON: such outputs go as bytes', async () => {
    const inputs = [{ name: 'x', shape: [2], datatype: 'FP32', data: [4, -1] }];
    expect(await refused(infer('root', { inputs, outputs: [{ name: 'root' }] }), 422)).toContain('NaN at [1]');
    const { body, headers } = binaryBody({ inputs, parameters: { binary_data_output: true } });
    const { tensors } = await binaryAnswer(await post('/v2/models/root/infer', body, headers));
    expect(tensors[0]?.readFloatLE(0)).toBe(2);
    expect(tensors[0]?.readFloatLE(4)).toBeNaN();
    const zero = binaryBody({
      inputs: [{ ...inputs[0], data: [1, 0] }],
      outputs: [{ name: 'log', parameters: { binary_data: true } }],
    });
    const logs = await binaryAnswer(await post('/v2/models/root/infer', zero.body, zero.headers));
    expect(logs.tensors[0]?.readFloatLE(4)).toBe(Number.NEGATIVE_INFINITY);
  });
});

/** Extremes of each datatype as JSON texts. */
const EXTREMES: [Datatype, string][] = [
  ['BOOL', '[true,false]'],
  ['UINT8', '[0,255]'],
  ['UINT16', '[0,65535]'],
  ['UINT32', '[0,4294967295]'],
  ['UINT64', '[9007199254740993,18446744073709551615]'],
  ['INT8', '[-128,127]'],
  ['INT16', '[-32768,32767]'],
  ['INT32', '[-2147483648,2147483647]'],
  ['INT64', '[-9223372036854775808,9007199254740993]'],
  ['FP32', '[-0.1,3.4028235e+38]'],
  ['FP64', '[0.1,5e-324]'],
  ['BYTES', '["","naïve 😀 \\"quoted\\""]'],
];

describe('Tensor Data Types', () => {
  test.each(EXTREMES)('%s %s comes back digit by digit', async (datatype, data) => {
    const body = `{"inputs":[{"name":"in","shape":[1,2],"datatype":"${datatype}","data":${data}}]}`;
    const response = await infer(`echo-${datatype.toLowerCase()}`, body);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    expect(text).toContain(`"outputs":[{"name":"out","shape":[1,2],"datatype":"${datatype}","data":${data}}]`);
  });

  test.each<[Datatype, Buffer]>([
    ['BOOL', Buffer.from([1, 0])],
    ['UINT8', Buffer.from([0, 255])],
    ['UINT16', Buffer.from(Uint16Array.of(0, 65_535).buffer)],
    ['UINT32', Buffer.from(Uint32Array.of(0, 2 ** 32 - 1).buffer)],
    ['UINT64', Buffer.from(BigUint64Array.of(2n ** 53n + 1n, 2n ** 64n - 1n).buffer)],
    ['INT8', Buffer.from(Int8Array.of(-128, 127).buffer)],
    ['INT16', Buffer.from(Int16Array.of(-32_768, 32_767).buffer)],
    ['INT32', Buffer.from(Int32Array.of(-(2 ** 31), 2 ** 31 - 1).buffer)],
    ['INT64', Buffer.from(BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n).buffer)],
    ['FP16', Buffer.from(Uint16Array.of(0x3c00, 0x7e01).buffer)], // 1 and a NaN with a payload
    ['FP32', Buffer.from(Float32Array.of(-0, Number.POSITIVE_INFINITY).buffer)],
    ['FP64', Buffer.from(Float64Array.of(0.1, Number.NaN).buffer)],
    ['BYTES', Buffer.from([0, 0, 0, 0, 3, 0, 0, 0, ...Buffer.from('né')])],
  ])('%s as bytes comes back bit by bit', async (datatype, bytes) => {
    const parameters = { binary_data_size: bytes.byteLength };
    const inputs = [{ name: 'in', shape: [2, 1], datatype, parameters }];
    const { body, headers } = binaryBody({ inputs, parameters: { binary_data_output: true } }, bytes);
    const { json, tensors } = await binaryAnswer(
      await post(`/v2/models/echo-${datatype.toLowerCase()}/infer`, body, headers),
    );
    expect(json.outputs).toEqual([{ name: 'out', shape: [2, 1], datatype, parameters }]);
    expect(tensors[0]).toEqual(bytes);
  });

  test('values outside a type are refused with their place', async () => {
    const inputs = [{ name: 'in', shape: [1, 2], datatype: 'UINT8', data: [1, 256] }];
    expect(await refused(infer('echo-uint8', { inputs }))).toBe(
      'input "in": expected an integer from 0 to 255, got 256 at [1]',
    );
  });

  test('"All strings in all contexts are case-sensitive", and no text is cut at NUL', async () => {
    await refused(infer('titanic', { inputs: [numbers('Age', [30]), texts('sex', ['male'])] }));
    const inputs = [{ name: 'in', shape: [1, 1], datatype: 'BYTES', data: ['a\0b'] }];
    expect(await refused(infer('echo-bytes', { inputs }))).toContain('without NUL');
  });
});
