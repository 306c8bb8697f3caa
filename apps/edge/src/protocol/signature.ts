/** What a model takes and gives, as tensors by name: its metadata in the Open Inference Protocol. Pure. */
import { type ColumnInput, columnInputs, type Datatype, type Manifest, type RouteVariant } from '../contract.ts';
import { refuse } from '../errors.ts';
import { nearestName } from '../predict/nearest.ts';

/** -1 in a shape = any size. */
export interface TensorSignature {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
}

export interface Signature {
  inputs: readonly TensorSignature[];
  /** `labels`: the names of the classes that the output has a number for. */
  outputs: readonly (TensorSignature & { labels?: readonly string[] | undefined })[];
}

/** A model of columns has an input per used column, by the column's name: that is what clients know. */
export function signatureOf(manifest: RouteVariant['manifest']): Signature {
  if ('kind' in manifest) return manifest;
  return { inputs: columnInputs(manifest).map(columnSignature), outputs: outputsOf(manifest) };
}

function columnSignature(input: ColumnInput): TensorSignature {
  const name = input.column;
  switch (input.type) {
    case 'double':
      return { name, datatype: 'FP64', shape: [-1, 1] };
    case 'string':
      return { name, datatype: 'BYTES', shape: [-1, 1] };
    case 'float32':
      return { name, datatype: 'FP32', shape: [-1, ...input.shape] };
    case 'int32':
      return { name, datatype: 'INT64', shape: [-1, -1] };
  }
}

function outputsOf({ output, classes }: Manifest): Signature['outputs'] {
  if (output === 'value') return [{ name: 'value', datatype: 'FP32', shape: [-1] }];
  return [
    { name: 'probabilities', datatype: 'FP32', shape: [-1, classes?.length ?? -1], labels: classes ?? undefined },
    { name: 'label', datatype: 'BYTES', shape: [-1] },
  ];
}

/** The one of that name. @throws HttpError 400 naming the nearest. */
export function byName<T extends { name: string }>(of: 'input' | 'output', known: readonly T[], name: string): T {
  const found = known.find((candidate) => candidate.name === name);
  if (found) return found;
  const names = known.map((candidate) => candidate.name);
  const nearest = nearestName(name, names);
  const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  throw refuse(
    400,
    of === 'input' ? 'UNKNOWN_INPUT' : 'UNKNOWN_OUTPUT',
    `no ${of} is named "${name.slice(0, 80)}"${meant}`,
  );
}
