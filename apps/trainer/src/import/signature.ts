/** Whether the model has the inputs, outputs and classes that its owner declared. Pure. */
import type { Datatype, TensorManifest } from '@anneal/edge/contract';
import type { TensorType } from '@anneal/edge/engine';
import type { DeclaredTensor, ImportSpec } from '../contract.ts';
import { JobFailure } from '../failure.ts';
import type { Found, Probed } from './probe.ts';

type ManifestTensor = TensorManifest['inputs'][number];

const DATATYPE: Record<TensorType, Datatype> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};

/** The tensor in the words of the protocol. @throws JobFailure TYPE_UNSUPPORTED */
export function manifestTensor({ name, type, shape }: Found): ManifestTensor {
  if (!Object.hasOwn(DATATYPE, type))
    throw new JobFailure(
      'TYPE_UNSUPPORTED',
      `"${name}" holds ${type}: the edge carries ${Object.values(DATATYPE).join(', ')}. Cast it in the model`,
    );
  return { name, datatype: DATATYPE[type], shape };
}

/** @throws JobFailure SIGNATURE_DIFFERS naming the first difference */
export function expectSignature(signature: ImportSpec['signature'], { inputs, outputs }: Probed): void {
  expectTensors('input', signature?.inputs ?? null, inputs.map(manifestTensor));
  expectTensors('output', signature?.outputs ?? null, outputs.map(manifestTensor));
}

function expectTensors(what: string, declared: readonly DeclaredTensor[] | null, found: ManifestTensor[]): void {
  if (!declared) return;
  const names = (tensors: readonly { name: string }[]) => tensors.map(({ name }) => `"${name}"`).join(', ');
  for (const tensor of declared) {
    const real = found.find(({ name }) => name === tensor.name);
    if (!real) throw differs(`the model has no ${what} "${tensor.name}"; it has ${names(found)}`);
    if (tensor.datatype !== real.datatype || !fits(tensor.shape, real.shape))
      throw differs(`the ${what} "${tensor.name}" was declared as ${spell(tensor)}; the model has ${spell(real)}`);
  }
  const left = found.filter(({ name }) => !declared.some((tensor) => tensor.name === name));
  if (left.length > 0) throw differs(`the model has ${what}s that were not declared: ${left.map(spellNamed)}`);
}

/** A declared size of an axis that can have any is a promise of the caller's; the other way round it is not. */
function fits(declared: readonly number[], found: readonly number[]): boolean {
  return declared.length === found.length && found.every((size, axis) => size === -1 || size === declared[axis]);
}

function differs(problem: string): JobFailure {
  return new JobFailure('SIGNATURE_DIFFERS', `${problem}. Correct the signature, or leave it out`);
}

function spell({ datatype, shape }: { datatype: string; shape: readonly number[] }): string {
  return `${datatype} [${shape.join(',')}]`;
}

function spellNamed(tensor: ManifestTensor): string {
  return `"${tensor.name}" ${spell(tensor)}`;
}

/** Outputs with class names at the one that has a number for each. @throws JobFailure LABELS_DIFFER */
export function labelled(
  outputs: readonly Found[],
  given: readonly string[] | null,
  own: ReadonlyMap<string, readonly string[]>,
): TensorManifest['outputs'] {
  const plain = outputs.map(manifestTensor);
  if (!given)
    return plain.map((tensor) => {
      const names = own.get(tensor.name);
      return names && scoresOf(tensor) === names.length ? { ...tensor, labels: [...names] } : tensor;
    });
  const scores = plain.filter((tensor) => scoresOf(tensor) === given.length);
  const best = scores.find(({ datatype }) => /^FP/.test(datatype)) ?? scores[0];
  if (best) return plain.map((tensor) => (tensor === best ? { ...tensor, labels: [...given] } : tensor));
  throw new JobFailure(
    'LABELS_DIFFER',
    `${given.length} labels were given, but no output has ${given.length} numbers in its last axis: ` +
      `${plain.map(spellNamed).join(', ')}`,
  );
}

/** Numbers along the last axis. */
function scoresOf({ shape }: { shape: readonly number[] }): number {
  return shape.at(-1) ?? 1;
}
