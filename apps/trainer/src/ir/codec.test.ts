/** The codec against an outside reader and writer (onnx-proto), and against hostile bytes. */
import proto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { decodeModel } from './decode.ts';
import { encodeModel } from './encode.ts';
import { OnnxError } from './errors.ts';
import { readMetadata, withMetadata } from './metadata.ts';
import * as op from './ops.ts';
import { DEFAULT_LIMITS } from './protobuf-reader.ts';
import { Writer } from './protobuf-writer.ts';
import { numbersOf } from './tensor.ts';
import { fuzz } from './testing/fuzz.ts';
import { everyAttribute, everyPart, sample } from './testing/samples.ts';

const { onnx } = proto;

describe('round trip', () => {
  test('what is written is read back', () => {
    for (const model of [sample(), everyAttribute(), everyPart()])
      expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  test('equal models give equal bytes', () => {
    expect(encodeModel(sample())).toEqual(encodeModel(sample()));
  });

  test('a large weight survives', () => {
    const g = new GraphBuilder('large');
    const values = Float32Array.from({ length: 300_000 }, (_, index) => index / 7);
    g.output('y', op.Add(g.initializer('w', 'FLOAT', [300, 1000], values), 1));
    const [weight] = decodeModel(encodeModel(g.model())).graph.initializers.filter(({ name }) => name === 'w');
    expect(weight && Float32Array.from(numbersOf(weight))).toEqual(values);
  });

  test('metadata can be read and extended', () => {
    const model = withMetadata(sample(), [
      ['threshold', '0.5'],
      ['classes', '["c"]'],
    ]);
    expect([...readMetadata(encodeModel(model))]).toEqual([
      ['classes', '["c"]'],
      ['threshold', '0.5'],
    ]);
  });
});

describe('onnx-proto agrees', () => {
  test('it reads what we write', () => {
    const read = onnx.ModelProto.decode(encodeModel(sample()));
    expect(read.graph?.node?.map((node) => node.opType)).toEqual([
      'LabelEncoder',
      'OneHot',
      'Squeeze',
      'MatMul',
      'Scan',
    ]);
    expect(read.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([
      ['', 21],
      ['ai.onnx.ml', 4],
    ]);
    expect(read.metadataProps).toEqual([{ key: 'classes', value: '["a","b"]' }]);
    const shape = read.graph?.input?.[0]?.type?.tensorType?.shape?.dim;
    expect(shape?.map((dim) => dim.dimParam || Number(dim.dimValue))).toEqual(['N', 1]);
  });

  test('we read what it writes after reading ours', () => {
    // Its schema is that of ONNX 1.10: it keeps no notes and none of the newest types, so everyPart is not for it.
    for (const model of [sample(), everyAttribute()]) {
      const rewritten = onnx.ModelProto.encode(onnx.ModelProto.decode(encodeModel(model))).finish();
      expect(decodeModel(rewritten)).toEqual(model);
    }
  });

  test('typed data fields become raw data', () => {
    const initializer = [
      { name: 'f', dataType: 1, dims: [2], floatData: [1.5, -2] },
      { name: 'i', dataType: 6, dims: [3], int32Data: [-1, 2, 2147483647] },
      { name: 'b', dataType: 9, dims: [2], int32Data: [1, 0] },
      { name: 'l', dataType: 7, dims: [1], int64Data: [-7] },
      { name: 'd', dataType: 11, dims: [1, 1], doubleData: [Math.PI] },
      { name: 'i8', dataType: 3, dims: [2], int32Data: [-128, 127] },
    ];
    const graph = { name: 'g', node: [], input: [], output: [], initializer };
    const file = onnx.ModelProto.encode(
      onnx.ModelProto.fromObject({ irVersion: 8, opsetImport: [{ domain: 'ai.onnx', version: 17 }], graph }),
    ).finish();
    const model = decodeModel(file);
    expect(model.opsets).toEqual([{ domain: '', version: 17 }]);
    const numbers = Object.fromEntries(model.graph.initializers.map((tensor) => [tensor.name, numbersOf(tensor)]));
    expect(numbers).toEqual({
      f: [1.5, -2],
      i: [-1, 2, 2147483647],
      b: [1, 0],
      l: [-7],
      d: [Math.PI],
      i8: [-128, 127],
    });
  });
});

describe('hostile bytes', () => {
  /** A model file whose only initializer is written by `write`. */
  const withTensor = (write: (w: Writer) => void) =>
    new Writer()
      .int(1, 8)
      .message(7, (graph) => graph.message(5, write))
      .message(8, (opset) => opset.int(2, 17))
      .finish();
  const nested = (depth: number): Uint8Array => {
    const inner = (w: Writer, left: number): void => {
      if (left > 0)
        w.message(1, (node) =>
          node.string(4, 'If').message(5, (a) =>
            a
              .string(1, 'b')
              .int(20, 5)
              .message(6, (g) => inner(g, left - 1)),
          ),
        );
    };
    return new Writer()
      .message(7, (w) => inner(w, depth))
      .message(8, (opset) => opset.int(2, 17))
      .finish();
  };

  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'no graph: not an ONNX model'],
    ['text', new TextEncoder().encode('<!doctype html>'), 'model'],
    [
      'two graphs',
      new Writer()
        .message(7, () => {})
        .message(7, () => {})
        .finish(),
      'a second graph',
    ],
    ['no opset', new Writer().message(7, () => {}).finish(), 'no opset_import'],
    ['external data', withTensor((w) => w.int(2, 1).int(14, 1)), 'external data is refused'],
    [
      'a path',
      withTensor((w) => w.message(13, (e) => e.string(1, 'location').string(2, '/etc/passwd'))),
      'external data',
    ],
    [
      'too little data',
      withTensor((w) => w.int(1, 4).int(2, 1).bytes(9, new Uint8Array(15))),
      'needs 16 bytes of FLOAT',
    ],
    [
      'a huge shape',
      withTensor((w) =>
        w
          .int(1, 2 ** 52)
          .int(1, 2 ** 52)
          .int(2, 1),
      ),
      'needs 8.112963841460668e+31 bytes',
    ],
    ['a negative dimension', withTensor((w) => w.int(1, -1).int(2, 1)), 'a dimension of -1'],
    ['an unknown type', withTensor((w) => w.int(2, 99)), 'data_type 99 is unknown'],
    ['a function without a name', new Writer().message(25, () => {}).finish(), 'a function without a name'],
    ['training_info', new Writer().message(20, () => {}).finish(), 'training_info is not supported'],
    ['deep nesting', nested(40), 'nested too deeply'],
    ['a length beyond the end', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f), 'claims 4294967295 bytes'],
    ['an endless varint', Uint8Array.of(8, ...new Array(11).fill(0xff)), 'more than ten bytes'],
    ['bad UTF-8', new Writer().bytes(2, Uint8Array.of(0xff)).finish(), 'producer_name is not valid UTF-8'],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeModel(bytes)).toThrow(OnnxError);
    expect(() => decodeModel(bytes)).toThrow(message);
  });

  test('the limits hold', () => {
    const bytes = encodeModel(sample());
    expect(() => decodeModel(bytes, { ...DEFAULT_LIMITS, bytes: 10 })).toThrow('more than the limit of 10');
    expect(() => decodeModel(bytes, { ...DEFAULT_LIMITS, messages: 20 })).toThrow('too many messages');
    expect(decodeModel(nested(10)).graph.nodes).toHaveLength(1);
  });

  test('numbers in attributes are limited', () => {
    const ints = new Uint8Array(100);
    const bytes = new Writer()
      .message(7, (g) =>
        g.message(1, (n) => n.string(4, 'A').message(5, (a) => a.string(1, 'i').int(20, 7).bytes(8, ints))),
      )
      .message(8, (opset) => opset.int(2, 17))
      .finish();
    expect(decodeModel(bytes).graph.nodes).toHaveLength(1);
    expect(() => decodeModel(bytes, { ...DEFAULT_LIMITS, numbers: 99 })).toThrow('too many numbers in the attributes');
  });

  test('100,000 random and mutated files end in a model or an OnnxError', { timeout: 120_000 }, () => {
    const before = process.resourceUsage().maxRSS;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // most inputs end in an error, and its stack trace would be most of the work
    const { unreadable, senseless, accepted } = fuzz(100_000, 7);
    Error.stackTraceLimit = stackTraceLimit;
    // Each outcome is really reached, and a 4 KB file never becomes much memory (maxRSS is in KB).
    expect(unreadable + senseless + accepted).toBe(100_000);
    expect(Math.min(unreadable, senseless, accepted)).toBeGreaterThan(1000);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(200 * 1024);
  });
});
