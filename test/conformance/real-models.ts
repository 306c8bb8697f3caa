/** Real model files of others with the outputs that were published with them, where the shared data are present. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { decodeTensor } from '../../apps/trainer/src/ir/decode.ts';
import { tensorOf } from '../../apps/trainer/src/ir/tensor.ts';
import type { Model, Tensor, ValueInfo } from '../../apps/trainer/src/ir/types.ts';
import { sharedPath } from '../shared.ts';
import { crosses } from './runtime.ts';

const folder = sharedPath('data/onnx_models');
if (!folder) console.warn('shared data absent: the tests with real models are skipped');

/** Names of all models; none where the data are absent. Those that begin with bad_ are to be refused. */
export const names: readonly string[] = folder
  ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  : [];

const read = (...place: string[]) => readFileSync(path.join(String(folder), ...place));

/** The bytes of a model. */
export const bytesOf = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(read(name, 'model.onnx'));

/** What a model's io.json says of an output: its numbers, some of them by place, or maps from class to number. */
export interface Published {
  data?: number[];
  samples?: [index: number, value: number][];
  value?: Record<string, number>[];
}
export const publishedOf = (name: string): Record<string, Published> =>
  (JSON.parse(read(name, 'io.json').toString()) as { outputs: Record<string, Published> }).outputs;

/** The tensors of a test data set: by the names that they bear, if the graph has those, else in the graph's order. */
export function tensors(name: string, kind: 'input' | 'output', values: readonly ValueInfo[]): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  values.forEach((value, index) => {
    const file = path.join(String(folder), name, 'test_data_set_0', `${kind}_${index}.pb`);
    if (!existsSync(file) || !crosses(value)) return;
    const tensor = decodeTensor(readFileSync(file));
    const named = values.some((other) => other.name === tensor.name) ? tensor.name : value.name;
    found.set(named, { ...tensor, name: named });
  });
  return found;
}

/** The inputs that callers give: before IR version 4 initializers had to be listed as inputs too. */
export function callerInputs({ graph }: Model): ValueInfo[] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  return graph.inputs.filter(({ name }) => !constants.has(name));
}

/** What to feed a model: its published inputs, its picture, or a ramp where there are none. */
export function feedsOf(name: string, model: Model): Map<string, Tensor> {
  const inputs = callerInputs(model);
  const given = tensors(name, 'input', inputs);
  const picture = path.join(String(folder), name, 'input_y_224.png');
  for (const input of given.size === 0 ? inputs : [])
    given.set(input.name, existsSync(picture) ? greys(input.name, readFileSync(picture)) : ramp(input));
  return given;
}

/** A picture as a model's input. */
function greys(name: string, png: Buffer): Tensor {
  const { width, height, values } = greysOf(png);
  return tensorOf(name, 'FLOAT', [1, 1, height, width], values);
}

/** The pixels of an 8-bit grey PNG, 0 to 1, row after row. */
export function greysOf(png: Buffer): { width: number; height: number; values: Float32Array } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const lines = inflateSync(Buffer.concat(parts));
  const pixels = new Uint8Array(width * height);
  const pixel = (x: number, y: number) => (x < 0 || y < 0 ? 0 : (pixels[y * width + x] ?? 0));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [a, b, c] = [pixel(x - 1, y), pixel(x, y - 1), pixel(x - 1, y - 1)];
      const far = [a, b, c].map((value) => Math.abs(a + b - c - value)); // Paeth: the nearest, in this order
      const paeth = [a, b, c][far.indexOf(Math.min(...far))] ?? 0;
      const guess = [0, a, b, (a + b) >> 1, paeth][lines[y * (width + 1)] ?? 0] ?? 0;
      pixels[y * width + x] = (lines[y * (width + 1) + 1 + x] ?? 0) + guess;
    }
  return { width, height, values: Float32Array.from(pixels, (value) => value / 255) };
}

/** 0, 1/n, 2/n, ...: what the standard's own runner feeds to models without input data. */
function ramp({ name, type }: ValueInfo): Tensor {
  const shape = type?.kind === 'TENSOR' ? (type.shape ?? []) : [];
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = dims.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    name,
    'FLOAT',
    dims,
    Float32Array.from({ length: size }, (_, index) => index / size),
  );
}

/** Largest |a - b| / max(1, |b|). */
export function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return b.reduce(
    (worst, value, at) => Math.max(worst, Math.abs((a[at] ?? Number.NaN) - value) / Math.max(1, Math.abs(value))),
    0,
  );
}
