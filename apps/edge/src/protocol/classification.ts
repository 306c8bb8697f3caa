/** The classification extension: the k largest elements of an output as texts "value:index[:label]". Pure. */
import type { Tensor } from '../engine/index.ts';
import { refuse } from '../errors.ts';
import { floatText } from './tensor-json.ts';

/**
 * Of each row of the batch (the first of two or more dimensions; a vector is one row without a batch) the `count`
 * largest, larger first, the lower index first of equals. @throws HttpError 400 INVALID_CLASSIFICATION.
 */
export function classify(name: string, tensor: Tensor, labels: readonly string[] | undefined, count: number): Tensor {
  const { dims, data } = tensor;
  const batch = dims.length > 1 ? (dims[0] ?? 0) : 1;
  const width = batch === 0 ? 0 : data.length / batch;
  if (tensor.type === 'string' || tensor.type === 'float16')
    throw invalid(`the output "${name}" has no numbers that can be compared`);
  if (count > width) throw invalid(`expected classification of 1 to ${width} for the output "${name}", got ${count}`);
  const texts: string[] = [];
  for (let row = 0; row < batch; row++)
    for (const index of largest(data, row * width, width, count)) {
      const value = data[row * width + index] ?? 0;
      const text = typeof value === 'number' && tensor.type === 'float32' ? floatText(value) : String(value);
      const label = labels?.[index];
      texts.push(`${text}:${index}${label === undefined ? '' : `:${label}`}`);
    }
  return { type: 'string', dims: dims.length > 1 ? [batch, count] : [count], data: texts };
}

function largest(data: Tensor['data'], start: number, width: number, count: number): number[] {
  const at = (index: number) => Number(data[start + index]);
  const order = Array.from({ length: width }, (_, index) => index);
  return order.sort((a, b) => at(b) - at(a) || a - b).slice(0, count);
}

const invalid = (message: string) => refuse(400, 'INVALID_CLASSIFICATION', message);
