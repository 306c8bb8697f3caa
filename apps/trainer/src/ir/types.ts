/**
 * ONNX as plain data: what a model is, in the words of onnx.proto3. Knows no bytes of the file format and no runtime.
 * Where ONNX has several encodings of one thing (raw_data, float_data, ...), this has one.
 */

/** Element types by their ONNX number, with the bits that one element takes in raw data (0: no fixed size). */
export const DATA_TYPES = {
  FLOAT: { number: 1, bits: 32 },
  UINT8: { number: 2, bits: 8 },
  INT8: { number: 3, bits: 8 },
  UINT16: { number: 4, bits: 16 },
  INT16: { number: 5, bits: 16 },
  INT32: { number: 6, bits: 32 },
  INT64: { number: 7, bits: 64 },
  STRING: { number: 8, bits: 0 },
  BOOL: { number: 9, bits: 8 },
  FLOAT16: { number: 10, bits: 16 },
  DOUBLE: { number: 11, bits: 64 },
  UINT32: { number: 12, bits: 32 },
  UINT64: { number: 13, bits: 64 },
  COMPLEX64: { number: 14, bits: 64 },
  COMPLEX128: { number: 15, bits: 128 },
  BFLOAT16: { number: 16, bits: 16 },
  FLOAT8E4M3FN: { number: 17, bits: 8 },
  FLOAT8E4M3FNUZ: { number: 18, bits: 8 },
  FLOAT8E5M2: { number: 19, bits: 8 },
  FLOAT8E5M2FNUZ: { number: 20, bits: 8 },
  UINT4: { number: 21, bits: 4 },
  INT4: { number: 22, bits: 4 },
  FLOAT4E2M1: { number: 23, bits: 4 },
  FLOAT8E8M0: { number: 24, bits: 8 },
  UINT2: { number: 25, bits: 2 },
  INT2: { number: 26, bits: 2 },
} as const;

/** Name of an element type. */
export type DataType = keyof typeof DATA_TYPES;

/** The element types that hold real numbers, over which gradients exist. */
export type RealType = 'FLOAT' | 'DOUBLE';

const BY_NUMBER = new Map<number, DataType>(
  (Object.keys(DATA_TYPES) as DataType[]).map((type) => [DATA_TYPES[type].number, type]),
);

/** The element type with this ONNX number, or undefined for a number that ONNX (up to IR version 13) does not have. */
export function dataTypeOf(number: number): DataType | undefined {
  return BY_NUMBER.get(number);
}

/** One axis: its length, the name of a length that is known only at run time, or null where nothing is said. */
export type Dim = number | string | null;

/** What a file may say about one of its parts for people and tools; nothing that computes reads it. */
export interface Notes {
  readonly doc?: string;
  readonly metadata?: ReadonlyMap<string, string>;
}

/** Values of one tensor: little-endian raw bytes, or the strings of a STRING tensor. */
export interface Tensor extends Notes {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | readonly string[];
}

/** A tensor of which only some elements are listed (the others are zero); its name is that of `values`. */
export interface SparseTensor {
  readonly dims: readonly number[];
  readonly values: Tensor;
  /** INT64: the place of each value, [n] in row-major counting or [n, rank]. */
  readonly indices: Tensor;
}

/** What a value may be: nearly always a tensor. null where the file does not say. */
export type ValueType =
  | { readonly kind: 'TENSOR' | 'SPARSE_TENSOR'; readonly type: DataType | null; readonly shape: readonly Dim[] | null }
  | { readonly kind: 'SEQUENCE' | 'OPTIONAL'; readonly of: ValueType | null }
  | { readonly kind: 'MAP'; readonly key: DataType; readonly of: ValueType | null };

/** Name and type of a graph's input, output or inner value. */
export interface ValueInfo extends Notes {
  readonly name: string;
  readonly type: ValueType | null;
}

/** Value of an attribute; ints are bigint because ONNX writes INT64_MAX where it means "to the end". */
export type Attribute =
  | { readonly type: 'FLOAT'; readonly value: number }
  | { readonly type: 'INT'; readonly value: bigint }
  | { readonly type: 'STRING'; readonly value: string }
  | { readonly type: 'TENSOR'; readonly value: Tensor }
  | { readonly type: 'GRAPH'; readonly value: Graph }
  | { readonly type: 'SPARSE_TENSOR'; readonly value: SparseTensor }
  | { readonly type: 'TYPE'; readonly value: ValueType }
  | { readonly type: 'FLOATS'; readonly value: readonly number[] }
  | { readonly type: 'INTS'; readonly value: readonly bigint[] }
  | { readonly type: 'STRINGS'; readonly value: readonly string[] }
  | { readonly type: 'TENSORS'; readonly value: readonly Tensor[] }
  | { readonly type: 'GRAPHS'; readonly value: readonly Graph[] }
  | { readonly type: 'SPARSE_TENSORS'; readonly value: readonly SparseTensor[] }
  | { readonly type: 'TYPES'; readonly value: readonly ValueType[] }
  /** Inside a local function: the attribute of this name of the calling node, which has type `of`. */
  | { readonly type: 'REFERENCE'; readonly value: string; readonly of: AttributeType };

/** What an attribute can hold. */
export type AttributeType = Exclude<Attribute['type'], 'REFERENCE'>;

/** One operation: values in, values out; an optional value that is left out is the empty name. */
export interface Node extends Notes {
  readonly name: string;
  readonly type: string;
  /** '' is the standard's own domain. */
  readonly domain: string;
  /** Which of several local functions of one name is meant; left out nearly always. */
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** Nodes in topological order, with the values that enter, leave and are known beforehand. */
export interface Graph extends Notes {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Tensor[];
  readonly sparseInitializers: readonly SparseTensor[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly values: readonly ValueInfo[];
}

/** A version of a set of operators; '' is the standard's own domain. */
export interface Opset {
  readonly domain: string;
  readonly version: number;
}

/** An operation that the file itself defines by others: nodes of (domain, name, overload) mean its body. */
export interface LocalFunction extends Notes {
  readonly domain: string;
  readonly name: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes that a call must give, and those that have a default. */
  readonly attributes: readonly string[];
  readonly defaults: ReadonlyMap<string, Attribute>;
  readonly opsets: readonly Opset[];
  readonly nodes: readonly Node[];
  readonly values: readonly ValueInfo[];
}

/** A whole ONNX file. */
export interface Model {
  readonly irVersion: number;
  readonly opsets: readonly Opset[];
  readonly producer: { readonly name: string; readonly version: string };
  /** Whose model this is and which version of it, in the file's own words. */
  readonly domain?: string;
  readonly version?: bigint;
  readonly doc?: string;
  readonly graph: Graph;
  readonly functions: readonly LocalFunction[];
  readonly metadata: ReadonlyMap<string, string>;
}
