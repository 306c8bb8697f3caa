/**
 * A graph of raw columns (the recipe's nodes, or a whole artifact) run over rows of the table by a training engine.
 * Training data and the trainer's side of parity both come from here. Knows no network and no API.
 */
import type { Table, TableColumn } from '../contract.ts';
import type { Engine, LoadedGraph } from '../engine/index.ts';
import { JobFailure } from '../failure.ts';
import type { Tensor } from '../ir/types.ts';
import type { RawInput } from './features.ts';

/** Rows per run: large enough that a call costs nothing, small enough that string tensors stay small. */
const ROWS_PER_RUN = 4096;

/** A loaded graph; the file is the only thing it was built from. */
export class RawGraph {
  readonly #graph: LoadedGraph;
  readonly #inputs: RawInput[];

  private constructor(graph: LoadedGraph, inputs: RawInput[]) {
    this.#graph = graph;
    this.#inputs = inputs;
  }

  static async open(engine: Engine, onnx: Uint8Array, inputs: RawInput[]): Promise<RawGraph> {
    return new RawGraph(await engine.graph(onnx), inputs);
  }

  /** The one float output for these rows of the table, row after row. `beat` is called after each run. */
  async run(table: Table, rows: Uint32Array, beat: () => void = () => {}): Promise<Float32Array> {
    let output = new Float32Array(0);
    for (let start = 0; start < rows.length; start += ROWS_PER_RUN) {
      const part = rows.subarray(start, start + ROWS_PER_RUN);
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
    const inputs = this.#inputs.map((raw) => {
      const column = table.columns.find((c) => c.name === raw.column);
      if (!column) throw new JobFailure('DATA_MISMATCH', `the table has no column "${raw.column}"`);
      return columnTensor(raw.name, column, rows);
    });
    const [output, ...more] = (await this.#graph.run(inputs)).values();
    if (output?.type !== 'FLOAT' || !(output.data instanceof Uint8Array) || more.length > 0)
      throw new Error('a graph of raw columns must have one FLOAT output');
    return new Float32Array(output.data.slice().buffer);
  }
}

/** [N,1]: double with NaN for missing, or string with "" for missing. */
function columnTensor(name: string, column: TableColumn, rows: Uint32Array): Tensor {
  const dims = [rows.length, 1];
  if (column.kind !== 'NUMERIC') {
    const data = Array.from(rows, (row) => column.dictionary[column.codes[row] ?? -1] ?? '');
    return { name, type: 'STRING', dims, data };
  }
  const values = Float64Array.from(rows, (row) => column.values[row] ?? Number.NaN);
  return { name, type: 'DOUBLE', dims, data: new Uint8Array(values.buffer) };
}
