/**
 * How cells that are arrays are read: tensors (numbers of one shape, nested or as one flat list) and tokens. Each is
 * written straight into the request's tensor: a thousand images are a million numbers.
 */
import { BadCell } from './cells.ts';
import { quote } from './errors.ts';

/** Writes one cell into its place, or says what it should have been and was. */
export type ArrayReader<T> = (value: unknown, to: T) => BadArray | null;

/** An array that is refused: `expected ...`, `got ...`. */
export class BadArray extends BadCell {
  readonly got: string;

  constructor(expected: string, got: string) {
    super(expected);
    this.got = got;
  }
}

/** The reader of a tensor of this shape. */
export function tensorReader(shape: readonly number[]): ArrayReader<Float32Array> {
  const expected = `${shape.join('x')} numbers, nested or as one list`;
  return (value, to) => {
    if (!Array.isArray(value)) return new BadArray(expected, quote(value));
    const flat = shape.length > 1 && !Array.isArray(value[0]);
    const dims = flat ? [to.length] : shape;
    const bad = copy(value, dims, to, 0, '');
    return bad === null ? null : new BadArray(expected, bad);
  };
}

/** The reader of sequences of at most `maxLength` tokens; what is behind a sequence's end stays as it is. */
export function tokensReader(maxLength: number): ArrayReader<Int32Array> {
  const expected = `1 to ${maxLength} tokens: integers from 0`;
  return (value, to) => {
    if (!Array.isArray(value)) return new BadArray(expected, quote(value));
    if (value.length === 0 || value.length > maxLength) return new BadArray(expected, `${value.length} of them`);
    for (let i = 0; i < value.length; i++) {
      const token: unknown = value[i];
      if (typeof token !== 'number' || !Number.isInteger(token) || token < 0)
        return new BadArray(expected, `${quote(token)} at [${i}]`);
      to[i] = Math.min(token, MAX_TOKEN); // both are unknown to the model
    }
    return null;
  };
}

/** The graph adds 1 in int32. */
const MAX_TOKEN = 2 ** 31 - 2;

/** Copies nested numbers into to[at ...]; answers what is wrong and where, or null. */
function copy(
  value: readonly unknown[],
  dims: readonly number[],
  to: Float32Array,
  at: number,
  path: string,
): string | null {
  const [length = 0, ...inner] = dims;
  if (value.length !== length) return `${value.length} ${inner.length ? 'lists' : 'numbers'}${path && ` in ${path}`}`;
  if (inner.length === 0) return copyNumbers(value, to, at, path);
  const size = inner.reduce((product, dim) => product * dim, 1);
  for (let i = 0; i < length; i++) {
    const part = value[i];
    if (!Array.isArray(part)) return `${quote(part)} at ${path}[${i}]`;
    const bad = copy(part, inner, to, at + i * size, `${path}[${i}]`);
    if (bad !== null) return bad;
  }
  return null;
}

function copyNumbers(value: readonly unknown[], to: Float32Array, at: number, path: string): string | null {
  for (let i = 0; i < value.length; i++) {
    const number = value[i];
    if (typeof number !== 'number') return `${quote(number)} at ${path}[${i}]`;
    to[at + i] = number;
    // Beyond float32 it would arrive as infinity, and NaN cannot be written in JSON.
    if (!Number.isFinite(to[at + i])) return `${number} at ${path}[${i}]`;
  }
  return null;
}
