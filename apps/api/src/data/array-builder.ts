/** A column of arrays while its cells arrive: tensors of one shape, or sequences of tokens. */
import { elementsOf, type TensorColumn, type TokensColumn } from '@anneal/trainer/contract';
import { type Cell, type NumberArray, parseNumbers } from './arrays.ts';
import { show } from './cells.ts';
import type { RawColumn } from './column-builder.ts';
import { DataError } from './error.ts';
import { at, type Place } from './record.ts';

/** What a column of arrays holds. */
export type ArrayData = Omit<TensorColumn, 'name'> | Omit<TokensColumn, 'name'>;

/** Ids are kept in 32 bits, and a network adds one. */
const MAX_TOKEN = 2 ** 31 - 2;

/** Takes arrays one after the other. Without `kind` it is found out: one shape is TENSOR, lists of ids are TOKENS. */
export class ArrayBuilder {
  private readonly name: string;
  private readonly kind: 'TENSOR' | 'TOKENS' | null;
  /** What its owner wants each row's numbers to be. */
  private readonly wanted: readonly number[] | null;
  private shape: readonly number[] | null = null;
  private notTensor: string | null = null;
  private notTokens: string | null = null;
  // Bytes while all numbers are: most images are, and eight times smaller so.
  private values: Uint8Array | Float64Array = new Uint8Array(4096);
  private count = 0;
  private readonly ends: number[] = [];

  constructor(name: string, kind: 'TENSOR' | 'TOKENS' | null, shape: readonly number[] | null) {
    this.name = name;
    this.kind = kind;
    this.wanted = shape;
    if (kind === 'TENSOR') this.notTokens = 'it is said to be TENSOR';
    if (kind === 'TOKENS') this.notTensor = 'it is said to be TOKENS';
  }

  /** Numbers of all rows so far. */
  get size(): number {
    return this.count;
  }

  /** Takes a cell. @throws DataError BAD_VALUE naming the line. */
  append(cell: Cell, place: Place): void {
    const array = typeof cell === 'string' ? parseNumbers(cell) : cell;
    const expected = this.kind === 'TOKENS' ? 'integers from 0' : 'numbers';
    if (array === null) {
      const found = cell === '' ? 'no value' : show(String(cell));
      throw this.refusal(place, `${found}; expected ${expected} in every row: an array cannot be missing`);
    }
    this.notTensor ??= this.whyNoTensor(array);
    this.notTokens ??= whyNoTokens(array);
    if (this.notTensor !== null && this.notTokens !== null) {
      const [tensor, tokens] = [this.notTensor, this.notTokens];
      if (this.kind !== null) throw this.refusal(place, this.kind === 'TENSOR' ? tensor : tokens);
      throw this.refusal(place, `${tensor} (so it is no TENSOR), and ${tokens} (so it is no TOKENS)`);
    }
    this.store(array);
  }

  finish(): RawColumn {
    const base = { name: this.name, rows: this.ends.length, missing: 0, distinct: null, integers: false };
    return { ...base, texts: null, numbers: null, array: this.data() };
  }

  private data(): ArrayData {
    const values = this.values.subarray(0, this.count);
    if (this.notTensor === null) {
      const shape = [...(this.wanted ?? this.shape ?? [])];
      return {
        kind: 'TENSOR',
        shape,
        values: values instanceof Uint8Array ? values.slice() : Float32Array.from(values),
      };
    }
    const lengths = this.ends.map((end, row) => end - (this.ends[row - 1] ?? 0));
    return {
      kind: 'TOKENS',
      vocabulary: largest(values) + 1,
      maxLength: largest(lengths),
      offsets: Uint32Array.from([0, ...this.ends]),
      values: Int32Array.from(values),
    };
  }

  private whyNoTensor({ shape, values }: NumberArray): string | null {
    this.shape ??= shape;
    const own = shape.join('x');
    if (this.wanted !== null && elementsOf(this.wanted) !== elementsOf(shape))
      return `${own} numbers; expected ${elementsOf(this.wanted)} for the shape ${this.wanted.join('x')}`;
    if (own !== this.shape.join('x')) return `${own} numbers where the rows before have ${this.shape.join('x')}`;
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(Math.fround(values[i] ?? 0))) return `${values[i]}, which no float32 holds`;
    return null;
  }

  private store({ values }: NumberArray): void {
    const end = this.count + values.length;
    if (end > this.values.length) this.widen(Math.max(end, this.values.length * 2), this.values instanceof Uint8Array);
    if (this.values instanceof Uint8Array && !isBytes(values)) this.widen(this.values.length, false);
    // -0 and 0 are one value.
    for (let i = 0; i < values.length; i++) this.values[this.count + i] = (values[i] ?? 0) + 0;
    this.count = end;
    this.ends.push(end);
  }

  private widen(length: number, bytes: boolean): void {
    const wider = bytes ? new Uint8Array(length) : new Float64Array(length);
    wider.set(this.values.subarray(0, this.count));
    this.values = wider;
  }

  private refusal({ filename, line }: Place, found: string): DataError {
    return new DataError('BAD_VALUE', `${at({ filename, line })}, column "${this.name}": found ${found}`, {
      field: this.kind === null ? null : ['columns'],
      details: { column: this.name, filename, line },
    });
  }
}

function largest(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i] ?? 0);
  return max;
}

function whyNoTokens({ shape, values }: NumberArray): string | null {
  if (shape.length > 1) return 'nested lists, where tokens are one list';
  for (let i = 0; i < values.length; i++) {
    const id = values[i] ?? 0;
    if (!Number.isInteger(id) || id < 0 || id > MAX_TOKEN) return `${id}, where tokens are integers from 0`;
  }
  return null;
}

function isBytes(values: ArrayLike<number>): boolean {
  if (values instanceof Uint8Array) return true;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < 0 || value > 255 || !Number.isInteger(value)) return false;
  }
  return true;
}
