/** Scaling of tensors: learned per channel on TRAIN rows, the first axis being that of channels. Knows no ONNX. */
import { elementsOf, type TensorColumn } from '../contract.ts';

/** Mean and standard deviation of each index of the first axis over these rows; a constant channel has scale 1. */
export function fitChannels(column: TensorColumn, rows: Uint32Array): { center: number[]; scale: number[] } {
  const { shape, values } = column;
  const channels = shape[0] ?? 1;
  const [size, plane] = [elementsOf(shape), elementsOf(shape.slice(1))];
  const count = Math.max(1, rows.length * plane);
  const mean = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const constant = new Uint8Array(channels).fill(1);
  const first = (channel: number) => values[(rows[0] ?? 0) * size + channel * plane];
  /** Two passes: E[x^2] - E[x]^2 would lose all digits where the mean is far from 0. */
  const each = (visit: (channel: number, value: number) => void) => {
    for (const row of rows)
      for (let channel = 0, at = row * size; channel < channels; channel++)
        for (let end = at + plane; at < end; at++) visit(channel, values[at] ?? 0);
  };
  each((channel, value) => {
    mean[channel] = (mean[channel] ?? 0) + value / count;
    if (value !== first(channel)) constant[channel] = 0;
  });
  each((channel, value) => {
    squares[channel] = (squares[channel] ?? 0) + (value - (mean[channel] ?? 0)) ** 2 / count;
  });
  // Float32, as the graph has them: the training data is computed by the same numbers (rows-of-tensors in examples.ts).
  const center = Array.from(mean, (value, channel) => Math.fround(constant[channel] ? (first(channel) ?? 0) : value));
  const scale = Array.from(squares, (value, channel) => {
    const std = Math.fround(Math.sqrt(value));
    return constant[channel] || !(std > 0) || !Number.isFinite(std) ? 1 : std;
  });
  return { center, scale };
}
