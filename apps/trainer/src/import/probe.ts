/** What a loaded model really takes and answers: published shapes can be wrong. Runs it; knows no file. */
import type { OrtSession, Outputs, Tensor, TensorType } from '@anneal/edge/engine';
import { JobFailure } from '../failure.ts';

type Session = Pick<OrtSession, 'inputs' | 'outputs' | 'run'>;

/** An input or output as probing found it; -1 = any size. */
export interface Found {
  name: string;
  type: TensorType;
  shape: number[];
}
export interface Probed {
  inputs: Found[];
  outputs: Found[];
}

/** Sizes that a free axis is tried with, the likely ones first. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 16, 28, 32, 64, 96, 128, 224, 256, 512];
/** Elements of one input that are tried. */
const MOST_ELEMENTS = 2 ** 23;

const FILLS: readonly ((index: number) => number)[] = [() => 0, () => 1, (index) => index];

/** Sizes by the name of a free axis. */
type Sizes = ReadonlyMap<string, number>;

/** Runs the model with several sizes of its free axes. @throws the error of the first run where none succeeds */
export function probe(session: Session): Probed {
  const keys = [...new Set(session.inputs.flatMap((input, i) => input.shape.flatMap((dim, d) => keyOf(dim, i, d))))];
  const all = (size: number): Sizes => new Map(keys.map((key) => [key, size]));
  const runs: { sizes: Sizes; outputs: Outputs }[] = [];
  const attempt = (sizes: Sizes): boolean => {
    const outputs = runWith(session, sizes);
    if (outputs instanceof Error) return false;
    runs.push({ sizes, outputs });
    return true;
  };
  let base: Sizes | undefined;
  for (const size of keys.length === 0 ? [1] : SIZES) {
    if (!attempt(all(size))) continue;
    base = all(size);
    break;
  }
  base ??= fixedOneByOne(keys, attempt);
  if (!base) throw runWith(session, all(1));
  const free = freeKeys(keys, base, attempt);
  const first = runs[0]?.outputs ?? {};
  return {
    inputs: session.inputs.map(({ name, type, shape }, i) => ({
      name,
      type: type as TensorType,
      shape: shape.map((dim, d) => {
        const [key] = keyOf(dim, i, d);
        return key === undefined ? Number(dim) : free.has(key) ? -1 : (base.get(key) ?? -1);
      }),
    })),
    outputs: session.outputs.map(({ name }) => ({
      name,
      type: first[name]?.type ?? 'float32',
      shape: (first[name]?.dims ?? []).map((size, axis) =>
        runs.every(({ outputs }) => outputs[name]?.dims[axis] === size) ? size : -1,
      ),
    })),
  };
}

/** Where free axes do not all like one size: each in turn, the others at 1 or 2. */
function fixedOneByOne(keys: readonly string[], attempt: (sizes: Sizes) => boolean): Sizes | undefined {
  for (const rest of [1, 2])
    for (const key of keys)
      for (const size of SIZES) {
        const sizes = new Map(keys.map((other) => [other, other === key ? size : rest]));
        if (attempt(sizes)) return sizes;
      }
  return undefined;
}

/** Keys whose size may change: all together where that works, else those that may change alone. */
function freeKeys(keys: readonly string[], base: Sizes, attempt: (sizes: Sizes) => boolean): ReadonlySet<string> {
  const others = (size: number) => [1, 2, 3].filter((other) => other !== size);
  const uniform = new Set(base.values()).size <= 1;
  const [size = 1] = base.values();
  if (uniform && others(size).some((other) => attempt(new Map(keys.map((key) => [key, other]))))) return new Set(keys);
  return new Set(
    keys.filter((key) => others(base.get(key) ?? 1).some((other) => attempt(new Map([...base, [key, other]])))),
  );
}

/** The name of a free axis; unnamed first axes are one batch. Nothing for a fixed axis. */
function keyOf(dim: number | string, input: number, axis: number): string[] {
  if (typeof dim === 'string' && dim !== '') return [dim];
  if (typeof dim === 'number' && dim >= 0) return [];
  return [axis === 0 ? 'batch' : `${input}.${axis}`];
}

/** With zeros, and where those are refused with ones, and with 0, 1, 2, ... as lists of axes want it. */
function runWith(session: Session, sizes: Sizes): Outputs | Error {
  let refused: unknown;
  for (const fill of FILLS) {
    try {
      const feeds = session.inputs.map(({ name, type, shape }, i): [string, Tensor] => {
        const dims = shape.map((dim, d) => sizes.get(keyOf(dim, i, d)[0] ?? '') ?? Number(dim));
        return [name, filled(type, dims, fill)];
      });
      return session.run(Object.fromEntries(feeds));
    } catch (error) {
      refused ??= error;
    }
  }
  return refused instanceof Error ? refused : new Error(String(refused));
}

/** A tensor of made-up elements. @throws JobFailure where no request could carry it */
export function filled(type: string, dims: readonly number[], at: (index: number) => number): Tensor {
  const length = dims.reduce((product, dim) => product * dim, 1);
  if (length > MOST_ELEMENTS)
    throw new JobFailure('TOO_LARGE_FOR_EDGE', `an input of [${dims}] has more than ${MOST_ELEMENTS} elements`);
  const numbers = Array.from({ length }, (_, index) => at(index));
  const whole = () => numbers.map(Math.round);
  switch (type) {
    case 'string':
      return { type, dims, data: numbers.map((number) => (number === 0 ? '' : String(number))) };
    case 'float32':
      return { type, dims, data: Float32Array.from(numbers) };
    case 'float64':
      return { type, dims, data: Float64Array.from(numbers) };
    case 'float16':
      return { type, dims, data: Uint16Array.from(whole(), (number) => (number === 0 ? 0 : 0x3c00)) };
    case 'int64':
      return { type, dims, data: BigInt64Array.from(whole(), BigInt) };
    case 'uint64':
      return { type, dims, data: BigUint64Array.from(whole(), BigInt) };
    case 'int32':
      return { type, dims, data: Int32Array.from(whole()) };
    case 'uint32':
      return { type, dims, data: Uint32Array.from(whole()) };
    case 'int16':
      return { type, dims, data: Int16Array.from(whole()) };
    case 'uint16':
      return { type, dims, data: Uint16Array.from(whole()) };
    case 'int8':
      return { type, dims, data: Int8Array.from(whole()) };
    case 'bool':
      return { type, dims, data: Uint8Array.from(whole(), (number) => (number === 0 ? 0 : 1)) };
    default:
      return { type: 'uint8', dims, data: Uint8Array.from(whole()) };
  }
}

/** Elements that differ from place to place, without chance: 0.0 to 1.0. */
export function varied(index: number): number {
  return ((index * 7919 + 13) % 101) / 100;
}

/**
 * Whether `free` answers for each batch of rows what `fixed` does, which takes `batch` rows: then rows do not depend on
 * each other. `fixed` is run for rows 0..batch-1 and 1..batch, `free` for all of them at once.
 */
export function sameRowByRow(fixed: Session, free: Session, batch: number): boolean {
  try {
    const whole = free.inputs.map((input): [string, Tensor] => {
      const dims = [batch + 1, ...input.shape.slice(1).map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1))];
      return [input.name, filled(input.type, dims, varied)];
    });
    const all = free.run(Object.fromEntries(whole));
    return [0, 1].every((start) => {
      const part = whole.map(([name, tensor]): [string, Tensor] => [name, rowsOf(tensor, start, batch)]);
      const some = fixed.run(Object.fromEntries(part));
      return fixed.outputs.every(({ name }) => sameRows(all[name], some[name], start, batch));
    });
  } catch {
    return false;
  }
}

function sameRows(all: Tensor | undefined, some: Tensor | undefined, start: number, batch: number): boolean {
  if (!all || !some || all.dims[0] !== batch + 1 || some.dims[0] !== batch) return false;
  if (`${all.dims.slice(1)}` !== `${some.dims.slice(1)}`) return false;
  const part = rowsOf(all, start, batch);
  return Array.from<unknown>(some.data).every((value, i) => {
    const other: unknown = part.data[i];
    if (typeof value !== 'number' || typeof other !== 'number') return value === other;
    return Object.is(value, other) || Math.abs(value - other) <= 1e-5 + 1e-5 * Math.abs(value);
  });
}

/** `count` rows from `start` on. */
function rowsOf(tensor: Tensor, start: number, count: number): Tensor {
  const width = tensor.data.length / (tensor.dims[0] ?? 1);
  const dims = [count, ...tensor.dims.slice(1)];
  return { ...tensor, dims, data: tensor.data.slice(start * width, (start + count) * width) } as Tensor;
}
