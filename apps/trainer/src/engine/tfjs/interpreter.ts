/**
 * An ONNX graph run node by node with TensorFlow.js operations, so that its autodiff sees every one of them. Knows no
 * training.
 */
import type { Tensor as Constant, Graph, Node } from '../../ir/types.ts';
import { EngineError } from '../engine.ts';
import { toHost } from '../session.ts';
import { Call, type Kernels } from './call.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { IMAGE } from './image.ts';
import { LAYOUT } from './layout.ts';
import { MATRIX } from './matrix.ts';
import type { Tensor, Tf } from './tensorflow.ts';

const KERNELS: Kernels = { ...ELEMENTWISE, ...LAYOUT, ...MATRIX, ...IMAGE };

/** True where this operator can be interpreted. */
export function interprets({ type, domain }: Node): boolean {
  return domain === '' && (type in KERNELS || type === 'Constant');
}

/** A graph, or the part of it that some values need. */
export class Interpreter {
  readonly #tf: Tf;
  readonly #nodes: readonly Node[];
  readonly #constants: ReadonlyMap<string, Constant>;
  readonly #outputs: readonly string[];
  /** Constants on the device. */
  readonly #tensors = new Map<string, Tensor>();

  /** `given`: values that callers hand in, whose nodes are not run. @throws EngineError naming what it has not */
  constructor(
    tf: Tf,
    graph: Graph,
    { outputs, given = [] }: { outputs: readonly string[]; given?: readonly string[] },
  ) {
    this.#tf = tf;
    this.#outputs = outputs;
    this.#nodes = needed(graph, outputs, given);
    const missing = this.#nodes.filter((node) => !interprets(node));
    if (missing.length > 0) {
      const types = [...new Set(missing.map(({ type }) => type))].join(', ');
      throw new EngineError(`TFJS cannot run ${types} (first at "${missing[0]?.name}"); choose another engine`);
    }
    this.#constants = constantsOf(graph, this.#nodes);
  }

  /** The outputs for these inputs. Everything in between is left to tf.tidy, within which this is to be called. */
  run(inputs: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const values = new Map(inputs);
    for (const node of this.#nodes) {
      if (node.type === 'Constant') continue;
      const tensors = node.inputs.map((name) => (name === '' ? null : this.#value(values, name)));
      const kernel = KERNELS[node.type];
      const made = kernel?.(new Call(this.#tf, node, tensors, this.#constants));
      if (!made) throw new EngineError(`TFJS cannot run ${node.type}`);
      const list: readonly Tensor[] = Array.isArray(made) ? made : [made as Tensor];
      node.outputs.forEach((name, index) => {
        const tensor = list[index];
        if (tensor) values.set(name, tensor);
      });
    }
    return new Map(this.#outputs.map((name) => [name, this.#value(values, name) as Tensor]));
  }

  close(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }

  /** A value that was computed, given, or is a constant; null for constants that no tensor can hold. */
  #value(values: ReadonlyMap<string, Tensor>, name: string): Tensor | null {
    const known = values.get(name) ?? this.#tensors.get(name);
    if (known) return known;
    const constant = this.#constants.get(name);
    if (!constant) throw new EngineError(`TFJS: the value "${name}" is not there: was an optional output used?`);
    const made = tensorOf(this.#tf, constant);
    if (!made) return null;
    const tensor = this.#tf.keep(made);
    this.#tensors.set(name, tensor);
    return tensor;
  }
}

/** INT64 constants are indices or, beyond int32, bounds that mean "to the end": those only call.known() reads. */
function tensorOf(tf: Tf, constant: Constant): Tensor | null {
  const { type, dims, data } = toHost(constant);
  if (type === 'float32' || type === 'int32' || type === 'bool') return tf.tensor(data, [...dims], type);
  if (type !== 'int64' || data.some((value) => value !== BigInt.asIntN(32, value))) return null;
  return tf.tensor(Int32Array.from(data, Number), [...dims], 'int32');
}

/** The nodes that these outputs need, in order, up to the given values. */
function needed({ nodes }: Graph, outputs: readonly string[], given: readonly string[]): Node[] {
  const wanted = new Set(outputs);
  const stop = new Set(given);
  return nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((name) => wanted.has(name) && !stop.has(name))) return false;
      for (const name of node.inputs) wanted.add(name);
      return true;
    })
    .reverse();
}

function constantsOf(graph: Graph, nodes: readonly Node[]): Map<string, Constant> {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of nodes) {
    const value = node.attributes.get('value');
    if (node.type === 'Constant' && value?.type === 'TENSOR') constants.set(node.outputs[0] ?? '', value.value);
  }
  return constants;
}
