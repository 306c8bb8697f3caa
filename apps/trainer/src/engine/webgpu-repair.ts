/**
 * Models around a mistake of ONNX Runtime's WebGPU engine (1.30, seen on SwiftShader; microsoft/onnxruntime#29651 looks
 * like the same): its convolution answers wrong numbers where the input has 6, 9, 15, 18, ... channels (a multiple of
 * three beyond 3 that is none of four) and the output a multiple of four. Such convolutions get channels of zeros in
 * front, up to a multiple of four. Pure.
 */
import { decodeModel } from '../ir/decode.ts';
import { encodeModel } from '../ir/encode.ts';
import { inferTypes } from '../ir/infer/infer.ts';
import { tensorOf } from '../ir/tensor.ts';
import type { Node, Tensor } from '../ir/types.ts';

/** The same model where nothing is wrong with it. */
export function repaired(bytes: Uint8Array): Uint8Array {
  const model = decodeModel(bytes);
  const facts = inferTypes(model);
  const shapeOf = (name = '') => {
    const type = facts.get(name)?.type;
    return type?.kind === 'TENSOR' ? (type.shape ?? []) : [];
  };
  const pads: Tensor[] = [];
  const nodes = model.graph.nodes.flatMap((node): readonly Node[] => {
    const [outputs, channels, ...window] = shapeOf(node.inputs[1]);
    if (!isWrong(node, outputs, channels)) return [node];
    const amounts = padded(node, window.length + 2, 4 - (channels % 4));
    pads.push(amounts.tensor);
    return amounts.nodes;
  });
  if (pads.length === 0) return bytes;
  return encodeModel({
    ...model,
    graph: { ...model.graph, nodes, initializers: [...model.graph.initializers, ...pads] },
  });
}

type Length = number | string | null | undefined;

function isWrong(node: Node, outputs: Length, channels: Length): channels is number {
  if (node.type !== 'Conv' || node.domain !== '') return false;
  const group = node.attributes.get('group');
  if (group?.type === 'INT' && group.value !== 1n) return false;
  if (typeof outputs !== 'number' || typeof channels !== 'number') return false;
  return channels > 3 && channels % 3 === 0 && channels % 4 !== 0 && outputs % 4 === 0;
}

/** The convolution behind a Pad of its input and one of its weight, along the channels. */
function padded(node: Node, rank: number, more: number): { nodes: Node[]; tensor: Tensor } {
  const name = `${node.outputs[0]}/channels`;
  const amounts = Array.from({ length: 2 * rank }, (_, at) => (at === rank + 1 ? more : 0));
  const pad = (index: number): Node => ({
    name: `${name}${index}`,
    type: 'Pad',
    domain: '',
    inputs: [node.inputs[index] ?? '', name],
    outputs: [`${name}${index}`],
    attributes: new Map(),
  });
  const inputs = node.inputs.map((input, index) => (index < 2 ? `${name}${index}` : input));
  return { nodes: [pad(0), pad(1), { ...node, inputs }], tensor: tensorOf(name, 'INT64', [2 * rank], amounts) };
}
