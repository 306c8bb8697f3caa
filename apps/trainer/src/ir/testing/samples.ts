/** Small models that together use everything an ONNX file can hold: what the codec is tested and fuzzed with. */
import { GraphBuilder } from '../builder.ts';
import * as op from '../ops.ts';
import { tensorOf } from '../tensor.ts';
import { type Attribute, DATA_TYPES, type DataType, type Model, type SparseTensor, type ValueInfo } from '../types.ts';

/** A model with a subgraph, strings, every kind of name, and two domains. */
export function sample(): Model {
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

/** Two of four elements. */
const sparse: SparseTensor = {
  dims: [2, 2],
  values: tensorOf('sparse', 'FLOAT', [2], [1, 2]),
  indices: tensorOf('places', 'INT64', [2], [0, 3]),
};

/** A model of one node with these attributes, and values that the builder never makes. */
export function everyAttribute(): Model {
  const tensor = tensorOf('t', 'INT64', [2], [-1, 5]);
  const graph = sample().graph;
  const sequence = { kind: 'SEQUENCE', of: { kind: 'TENSOR', type: 'FLOAT', shape: ['N'] } } as const;
  const attributes: Record<string, Attribute> = {
    f: { type: 'FLOAT', value: 0.5 },
    zero: { type: 'INT', value: 0n },
    end: { type: 'INT', value: 0x7fffffffffffffffn },
    s: { type: 'STRING', value: 'ß' },
    t: { type: 'TENSOR', value: tensor },
    g: { type: 'GRAPH', value: graph },
    sparse: { type: 'SPARSE_TENSOR', value: sparse },
    tp: { type: 'TYPE', value: sequence },
    floats: { type: 'FLOATS', value: [1, -0.25] },
    ints: { type: 'INTS', value: [-3n, 0n, 1n << 40n] },
    strings: { type: 'STRINGS', value: ['', 'x'] },
    tensors: { type: 'TENSORS', value: [tensor, tensorOf('b', 'BOOL', [2], [true, false])] },
    graphs: { type: 'GRAPHS', value: [graph, graph] },
    sparses: { type: 'SPARSE_TENSORS', value: [sparse] },
    types: { type: 'TYPES', value: [sequence, { kind: 'OPTIONAL', of: sequence }] },
    empty: { type: 'INTS', value: [] },
  };
  const node = { name: 'n', type: 'Anything', domain: 'my.domain', inputs: ['', 'a'], outputs: ['y'] };
  const nodes = [{ ...node, attributes: new Map(Object.entries(attributes)) }];
  return {
    irVersion: 9,
    opsets: [{ domain: 'my.domain', version: 1 }],
    producer: { name: 'p', version: '1' },
    graph: { name: 'g', nodes, initializers: [], sparseInitializers: [], inputs: [], outputs: [], values: everyType() },
    functions: [],
    metadata: new Map(),
  };
}

function everyType(): ValueInfo[] {
  const tensor = { kind: 'TENSOR', type: 'INT4', shape: [1, 'N', null] } as const;
  return [
    { name: 'typeless', type: null },
    { name: 'rankless', type: { kind: 'TENSOR', type: 'FLOAT16', shape: null } },
    { name: 'vague', type: { kind: 'TENSOR', type: 'UINT8', shape: ['N', null, 3, 0] } },
    { name: 'undefined', type: { kind: 'TENSOR', type: null, shape: [] } },
    { name: 'sparse', type: { kind: 'SPARSE_TENSOR', type: 'DOUBLE', shape: [3] } },
    { name: 'sequence', type: { kind: 'SEQUENCE', of: tensor } },
    { name: 'map', type: { kind: 'MAP', key: 'STRING', of: tensor } },
    { name: 'optional', type: { kind: 'OPTIONAL', of: { kind: 'SEQUENCE', of: tensor } } },
    { name: 'empty', type: { kind: 'OPTIONAL', of: null } },
  ];
}

/** A model with local functions, sparse initializers, notes on every part, and a tensor of every element type. */
export function everyPart(): Model {
  const notes = (doc: string) => ({ doc, metadata: new Map([['about', doc]]) });
  const reference = { type: 'REFERENCE', value: 'slope', of: 'FLOAT' } as const;
  const leaky = { name: '', type: 'LeakyRelu', domain: '', inputs: ['a'], outputs: ['b'] };
  const call = { name: 'call', type: 'Leaky', domain: 'my', inputs: ['x'], outputs: ['y'] };
  const opset = { domain: '', version: 21 };
  const x = { name: 'x', type: { kind: 'TENSOR', type: 'FLOAT', shape: ['N'] } } as const;
  const initializers = (Object.keys(DATA_TYPES) as DataType[]).map((type) => everyTensor(type));
  return {
    irVersion: 11,
    opsets: [opset, { domain: 'my', version: 1 }],
    producer: { name: 'p', version: '' },
    domain: 'org.example',
    version: -3n,
    doc: 'model',
    graph: {
      name: 'g',
      nodes: [
        { ...call, overload: 'v', attributes: new Map([['slope', { type: 'FLOAT', value: 0.5 }]]), ...notes('node') },
      ],
      initializers: [{ ...tensorOf('noted', 'FLOAT', [], [1]), ...notes('tensor') }, ...initializers],
      sparseInitializers: [sparse],
      inputs: [{ ...x, ...notes('value') }],
      outputs: [{ ...x, name: 'y' }],
      values: [],
      ...notes('graph'),
    },
    functions: [
      {
        ...{ domain: 'my', name: 'Leaky', overload: 'v', inputs: ['a'], outputs: ['b'], attributes: ['slope'] },
        defaults: new Map([['unused', { type: 'INT', value: 1n }]]),
        opsets: [opset],
        nodes: [{ ...leaky, attributes: new Map([['alpha', reference]]) }],
        values: [{ ...x, name: 'b' }],
        ...notes('function'),
      },
    ],
    metadata: new Map([['key', 'value']]),
  };
}

function everyTensor(type: DataType) {
  if (type === 'STRING') return tensorOf(type, type, [2], ['é', '']);
  const data = Uint8Array.from({ length: Math.ceil((3 * DATA_TYPES[type].bits) / 8) }, (_, at) => at + 1);
  return { name: type, type, dims: [3], data };
}
