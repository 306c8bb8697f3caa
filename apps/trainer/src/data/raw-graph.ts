/**
 * A graph of raw columns (the recipe's nodes, or a whole artifact) run over rows of the table by a training engine.
 * Training data and the trainer's side of parity both come from here. Knows no network and no API.
 */
import type { ManifestInput } from '@anneal/edge/contract';
import { elementsOf, type Table, type TableColumn } from '../contract.ts';
import type { Engine, LoadedGraph } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import type { Tensor } from '../ir/types.ts';

/** Rows per run: large enough that a call costs nothing, small enough that string tensors stay small. */
const ROWS_PER_RUN = 4096;
/** Numbers of tensors or sequences per run: what a network makes of each may be a hundred times as large. */
const NUMBERS_PER_RUN = 2 ** 17;

/** A loaded graph; the file is the only thing it was built from. */
export class RawGraph {
  readonly #graph: LoadedGraph;
  readonly #inputs: ManifestInput[];

  private constructor(graph: LoadedGraph, inputs: ManifestInput[]) {
    this.#graph = graph;
    this.#inputs = inputs;
  }

  static async open(engine: Engine, onnx: Uint8Array, inputs: ManifestInput[]): Promise<RawGraph> {
    return new RawGraph(await engine.graph(onnx), inputs);
  }

  /** The one float output for these rows of the table, row after row. `beat` is called after each run. */
  async run(table: Table, rows: Uint32Array, beat: () => void = () => {}): Promise<Float32Array> {
    let output = new Float32Array(0);
    const step = rowsPerRun(this.#inputs);
    for (let start = 0; start < rows.length; start += step) {
      const part = rows.subarray(start, start + step);
      const values = await this.#runOnce(table, part);
      const width = values.length / part.length;
      if (start === 0) output = new Float32Array(width * rows.length);
      output.set(values, width * start);
      beat();
    }
    return output;
  }

  close(): Promise<void> {
    return this.#graph.close();
  }

  async #runOnce(table: Table, rows: Uint32Array): Promise<Float32Array> {
    const inputs = this.#inputs.map((input) => tensorOf(input, table, rows));
    const [output, ...more] = (await this.#graph.run(inputs)).values();
    if (output?.type !== 'FLOAT' || !(output.data instanceof Uint8Array) || more.length > 0)
      throw new Error('a graph of raw columns must have one FLOAT output');
    return new Float32Array(output.data.slice().buffer);
  }
}

function rowsPerRun(inputs: ManifestInput[]): number {
  const width = inputs.reduce((sum, raw) => {
    if (raw.type === 'float32') return sum + elementsOf(raw.shape);
    return raw.type === 'int32' ? sum + raw.length : sum;
  }, 0);
  return width === 0 ? ROWS_PER_RUN : Math.min(ROWS_PER_RUN, Math.max(1, Math.floor(NUMBERS_PER_RUN / width)));
}

/** As ManifestInput says; the kinds of column and input belong together, or the table is not the one asked for. */
function tensorOf(input: ManifestInput, table: Table, rows: Uint32Array): Tensor {
  const columnOf = (name: string) => {
    const column = table.columns.find((c) => c.name === name);
    if (!column) throw new JobFailure('DATA_MISMATCH', `the table has no column "${name}"`);
    return column;
  };
  if (input.type === 'float32' || input.type === 'int32') return arrayTensor(input, columnOf(input.column), rows);
  const columns = ('columns' in input ? input.columns : [input.column]).map(columnOf);
  const base = { name: input.name, dims: [rows.length, columns.length] };
  if (input.type === 'string') {
    const texts = columns.map(textsOf);
    return { ...base, type: 'STRING', data: Array.from(rows).flatMap((row) => texts.map((textOf) => textOf(row))) };
  }
  const numbers = columns.map(numbersOf);
  const data = new Float64Array(rows.length * numbers.length);
  for (const [i, row] of rows.entries())
    for (const [c, numberOf] of numbers.entries()) data[i * numbers.length + c] = numberOf(row);
  return { ...base, type: 'DOUBLE', data: bytesOf(data) };
}

/** A row's number, NaN where it is missing. */
function numbersOf(column: TableColumn): (row: number) => number {
  if (column.kind !== 'NUMERIC') throw mismatch('double', column);
  return (row) => column.values[row] ?? Number.NaN;
}

/** A row's text, "" where it is missing. */
function textsOf(column: TableColumn): (row: number) => string {
  if (column.kind !== 'CATEGORICAL' && column.kind !== 'TEXT') throw mismatch('string', column);
  return (row) => column.dictionary[column.codes[row] ?? -1] ?? '';
}

type ArrayInput = Extract<ManifestInput, { type: 'float32' | 'int32' }>;

function arrayTensor(raw: ArrayInput, column: TableColumn, rows: Uint32Array): Tensor {
  const { name } = raw;
  if (raw.type === 'float32' && column.kind === 'TENSOR') {
    const size = elementsOf(raw.shape);
    const values = new Float32Array(rows.length * size);
    for (const [i, row] of rows.entries()) values.set(column.values.subarray(row * size, (row + 1) * size), i * size);
    return { name, type: 'FLOAT', dims: [rows.length, ...raw.shape], data: bytesOf(values) };
  }
  if (raw.type === 'int32' && column.kind === 'TOKENS') {
    const ids = new Int32Array(rows.length * raw.length).fill(-1);
    for (const [i, row] of rows.entries())
      ids.set(column.values.subarray(column.offsets[row], column.offsets[row + 1]), i * raw.length);
    return { name, type: 'INT32', dims: [rows.length, raw.length], data: bytesOf(ids) };
  }
  throw mismatch(raw.type, column);
}

function mismatch(type: string, { name, kind }: TableColumn): JobFailure {
  return new JobFailure('DATA_MISMATCH', `the table's column "${name}" is ${kind}: it cannot be ${type}`);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
