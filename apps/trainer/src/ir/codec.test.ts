/** The codec against an outside reader and writer (onnx-proto), and against hostile bytes. */
import fc from 'fast-check';
import proto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { decodeModel } from './decode.ts';
import { encodeModel } from './encode.ts';
import { OnnxError } from './errors.ts';
import { readMetadata, withMetadata } from './metadata.ts';
import * as op from './ops.ts';
import { Writer } from './protobuf.ts';
import { numbersOf, tensorOf } from './tensor.ts';
import type { Attribute, Model } from './types.ts';

/** A model with a subgraph, strings, every kind of name, and two domains. */
function sample(): Model {
  const g = new GraphBuilder('sample');
  const city = g.input('city', 'STRING', ['N', 1]);
  const hot = op.OneHot(op.LabelEncoder(city, { keys: ['Zürich', 'Ulm'], values: [1, 2], fallback: 0 }), 3);
  const weight = g.initializer('weight', 'FLOAT', [3, 2], new Float32Array([1, -2, 3.5, 0, 1e-30, 7]));
  g.output('scores', op.MatMul(op.Squeeze(hot, [1]), weight));

  const body = new GraphBuilder('body', 'body/');
  const sum = op.Add(body.input('body/sum', 'DOUBLE', [2]), body.input('body/item', 'DOUBLE', [2]));
  body.output('body/sum2', sum);
  body.output('body/square', op.Mul(sum, sum));
  const items = g.input('items', 'DOUBLE', ['K', 2]);
  const [last, squares] = op.Scan(g, { body, states: [g.constant('DOUBLE', [2], [0, -0])], sequences: [items] });
  if (last && squares) g.output('last', last);
  if (squares) g.output('squares', squares);
  return g.model({ metadata: new Map([['classes', '["a","b"]']]) });
}

/** A model of one node with these attributes, and tensors that the builder never makes. */
function everyAttribute(): Model {
  const tensor = tensorOf('t', 'INT64', [2], [-1, 5]);
  const graph = sample().graph;
  const attributes: Record<string, Attribute> = {
    f: { type: 'FLOAT', value: 0.5 },
    zero: { type: 'INT', value: 0n },
    end: { type: 'INT', value: 0x7fffffffffffffffn },
    s: { type: 'STRING', value: 'ß' },
    t: { type: 'TENSOR', value: tensor },
    g: { type: 'GRAPH', value: graph },
    floats: { type: 'FLOATS', value: [1, -0.25] },
    ints: { type: 'INTS', value: [-3n, 0n, 1n << 40n] },
    strings: { type: 'STRINGS', value: ['', 'x'] },
    tensors: { type: 'TENSORS', value: [tensor, tensorOf('b', 'BOOL', [2], [true, false])] },
    graphs: { type: 'GRAPHS', value: [graph, graph] },
    empty: { type: 'INTS', value: [] },
  };
  const node = { name: 'n', type: 'Anything', domain: 'my.domain', inputs: ['', 'a'], outputs: ['y'] };
  const values = [
    { name: 'typeless', type: null, shape: null },
    { name: 'rankless', type: 'FLOAT16', shape: null },
    { name: 'vague', type: 'UINT8', shape: ['N', null, 3, 0] },
  ] as const;
  const nodes = [{ ...node, attributes: new Map(Object.entries(attributes)) }];
  return {
    irVersion: 9,
    opsets: [{ domain: 'my.domain', version: 1 }],
    producer: { name: 'p', version: '1' },
    graph: { name: 'g', nodes, initializers: [], inputs: [], outputs: [], values },
    metadata: new Map(),
  };
}

const { onnx } = proto;

describe('round trip', () => {
  test('what is written is read back', () => {
    for (const model of [sample(), everyAttribute()]) expect(decodeModel(encodeModel(model))).toEqual(model);
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
    ['a function', new Writer().message(25, () => {}).finish(), 'model-local functions are not supported'],
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
    expect(() => decodeModel(bytes, { bytes: 10, depth: 32, messages: 1e6 })).toThrow('more than the limit of 10');
    expect(() => decodeModel(bytes, { bytes: 1e6, depth: 32, messages: 20 })).toThrow('too many messages');
    expect(decodeModel(nested(10)).graph.nodes).toHaveLength(1);
  });

  test('mutated models are read or refused, never anything else', () => {
    const files = [encodeModel(sample()), encodeModel(everyAttribute())];
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255), cut: fc.boolean() });
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 4 }), (file, edits) => {
        let bytes = file.slice();
        for (const { at, byte, cut } of edits) {
          const place = Math.floor(at * (bytes.length - 1));
          if (cut && edits.length > 2) bytes = bytes.slice(0, place + 1);
          else bytes[place] = byte;
        }
        onlyOnnxErrors(bytes);
      }),
      { numRuns: 20_000, seed: 1 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => onlyOnnxErrors(bytes)),
      { numRuns: 20_000, seed: 2 },
    );
  });

  /** Decoding either works, and then re-encoding too, or refuses with the typed error. */
  function onlyOnnxErrors(bytes: Uint8Array): void {
    try {
      encodeModel(decodeModel(bytes));
    } catch (error) {
      if (!(error instanceof OnnxError)) throw error;
    }
  }
});
