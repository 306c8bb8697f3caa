/** The file as it came -> a model that is sound, or the exact reason why it is refused. Nothing is loaded. Pure. */
import { JobFailure } from '../failure.ts';
import { checkModel } from '../ir/check.ts';
import { decodeModel } from '../ir/decode.ts';
import { OnnxError } from '../ir/errors.ts';
import { functionKey, place } from '../ir/infer/infer.ts';
import { sorted } from '../ir/sort.ts';
import { definitionAt, definitionsOf, newestOpset } from '../ir/standard.ts';
import type { DataType, Model, Node, Opset, ValueInfo, ValueType } from '../ir/types.ts';
import { allNodes } from './nodes.ts';

/** Operators that ONNX Runtime has beside the standard's; which of them, its own loading says. */
const RUNTIMES_OWN = 'com.microsoft';
/** Domains whose operators the edge can have. */
const SERVED = new Set(['', 'ai.onnx.ml', RUNTIMES_OWN]);

/** Reads the file; nodes come sorted. @throws JobFailure */
export function readModel(bytes: Uint8Array): Model {
  let model: Model;
  try {
    model = sorted(decodeModel(bytes));
  } catch (error) {
    throw refusalOf(error);
  }
  for (const opset of model.opsets) refuseOpset(opset);
  refuseOperators(model);
  return model;
}

/** Whether nodes, values and types fit each other. @throws JobFailure ONNX_INVALID */
export function expectSound(model: Model): void {
  try {
    checkModel(model, new Set([RUNTIMES_OWN]));
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof OnnxError)) return error;
  const { message } = error;
  if (/external data/.test(message))
    return new JobFailure('EXTERNAL_DATA', `${message}. Save the model with its weights inside, as one file`);
  if (/no opset_import/.test(message))
    return new JobFailure('OPSET_UNSUPPORTED', `${message}. Export the model anew, with its opset_import`);
  const expected = 'Expected the bytes of one .onnx file, uncompressed';
  return new JobFailure('ONNX_INVALID', `Not an ONNX model that can be read: ${message}. ${expected}`, {
    cause: error,
  });
}

function refuseOpset({ domain, version }: Opset): void {
  const newest = newestOpset(domain);
  if (newest === undefined || (version >= 1 && version <= newest)) return;
  throw new JobFailure(
    'OPSET_UNSUPPORTED',
    `opset_import "${domain || 'ai.onnx'}" is ${version}; known are 1 to ${newest}. ` +
      `Export the model for opset ${Math.min(newest, 21)}`,
  );
}

function refuseOperators(model: Model): void {
  const local = new Set(model.functions.map(functionKey));
  const bodies = [
    { nodes: [...allNodes(model.graph)], opsets: model.opsets },
    ...model.functions.map(({ nodes, opsets }) => ({ nodes, opsets })),
  ];
  for (const { nodes, opsets } of bodies) {
    const versions = new Map(opsets.map(({ domain, version }) => [domain, version]));
    for (const [index, node] of nodes.entries())
      if (!local.has(functionKey({ ...node, name: node.type }))) refuseOperator(node, index, versions);
  }
}

function refuseOperator(node: Node, index: number, versions: ReadonlyMap<string, number>): void {
  const where = `${place(node, index)}: operator ${node.type}`;
  const version = versions.get(node.domain);
  const of = `domain "${node.domain || 'ai.onnx'}", opset ${version ?? 'not imported'}`;
  if (!SERVED.has(node.domain))
    throw new JobFailure(
      'CUSTOM_DOMAIN',
      `${where} of ${of}: custom operators do not run at the edge. Export the model with operators of ai.onnx, ` +
        'ai.onnx.ml or com.microsoft only',
    );
  if (version === undefined)
    throw new JobFailure('OPSET_UNSUPPORTED', `${where} of ${of}. Export the model anew, with all opset_imports`);
  if (node.domain === RUNTIMES_OWN) return;
  const definition = definitionAt(node.domain, node.type, version);
  if (definition && !definition.withdrawn) return;
  const since = definitionsOf(node.domain, node.type)?.[0]?.since;
  const why = definition
    ? `it was withdrawn with opset ${definition.since}`
    : since === undefined
      ? 'no opset has it'
      : `it came with opset ${since}`;
  throw new JobFailure('OPERATOR_UNSUPPORTED', `${where} of ${of}: ${why}. Export the model for another opset`);
}

/** Element types that requests and answers can carry. */
const CARRIED: ReadonlySet<DataType> = new Set([
  ...(['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'] as const),
  ...(['FLOAT16', 'FLOAT', 'DOUBLE', 'STRING'] as const),
]);

/** Refuses inputs and outputs that are not dense tensors of a type that is carried. @throws JobFailure */
export function expectTensors(model: Model, inputs: readonly ValueInfo[]): void {
  const { outputs } = model.graph;
  if (inputs.length === 0 || outputs.length === 0)
    throw new JobFailure('TYPE_UNSUPPORTED', `the model has ${inputs.length} inputs and ${outputs.length} outputs`);
  for (const [what, infos] of [['input', inputs] as const, ['output', outputs] as const])
    for (const { name, type } of infos) {
      if (!type || (type.kind === 'TENSOR' && (type.type === null || CARRIED.has(type.type)))) continue;
      const advice =
        type.kind === 'TENSOR' ? 'Cast it in the model' : 'Export it with tensors (scikit-learn: zipmap False)';
      throw new JobFailure(
        'TYPE_UNSUPPORTED',
        `the ${what} "${name}" is ${spell(type)}; the edge carries dense tensors of ${[...CARRIED].join(', ')}. ` +
          advice,
      );
    }
}

function spell(type: ValueType | null): string {
  if (!type) return 'of an unknown type';
  if ('of' in type) return `a ${type.kind.toLowerCase()} of ${spell(type.of)}`;
  return `a ${type.kind === 'TENSOR' ? 'tensor' : 'sparse tensor'} of ${type.type ?? 'an unknown type'}`;
}
