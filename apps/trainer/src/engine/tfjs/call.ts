/** One node as a kernel sees it: its tensors, its attributes, and the constants that the standard passes as inputs. */
import { numbersOf } from '../../ir/tensor.ts';
import type { Tensor as Constant, Node } from '../../ir/types.ts';
import { EngineError } from '../engine.ts';
import type { Tensor, Tf } from './tensorflow.ts';

/** Computes one node: its outputs in order; those behind the first may be left out. */
export type Kernel = (call: Call) => Tensor | readonly Tensor[];

/** Kernels by operator. */
export type Kernels = Readonly<Record<string, Kernel>>;

/** A node with its inputs. */
export class Call {
  readonly tf: Tf;
  readonly node: Node;
  readonly #inputs: readonly (Tensor | null)[];
  readonly #constants: ReadonlyMap<string, Constant>;

  constructor(tf: Tf, node: Node, inputs: readonly (Tensor | null)[], constants: ReadonlyMap<string, Constant>) {
    this.tf = tf;
    this.node = node;
    this.#inputs = inputs;
    this.#constants = constants;
  }

  /** An input that must be there. */
  input(index: number): Tensor {
    return this.#inputs[index] ?? this.fail(`input ${index} is absent`);
  }

  optional(index: number): Tensor | null {
    return this.#inputs[index] ?? null;
  }

  /** All inputs. */
  get inputs(): Tensor[] {
    return this.node.inputs.map((_, index) => this.input(index));
  }

  /** The numbers of an input that must be known before the graph runs (axes, shapes); null where it is absent. */
  known(index: number): number[] | null {
    const name = this.node.inputs[index];
    if (!name) return null;
    const constant = this.#constants.get(name);
    return constant ? numbersOf(constant) : this.fail(`input ${index} "${name}" must be a constant for TensorFlow.js`);
  }

  int(name: string, otherwise: number): number {
    const attribute = this.node.attributes.get(name);
    return attribute?.type === 'INT' ? Number(attribute.value) : otherwise;
  }

  float(name: string, otherwise: number): number {
    const attribute = this.node.attributes.get(name);
    return attribute?.type === 'FLOAT' ? attribute.value : otherwise;
  }

  ints(name: string): number[] | null {
    const attribute = this.node.attributes.get(name);
    return attribute?.type === 'INTS' ? attribute.value.map(Number) : null;
  }

  text(name: string, otherwise: string): string {
    const attribute = this.node.attributes.get(name);
    return attribute?.type === 'STRING' ? attribute.value : otherwise;
  }

  /** Where and what: TFJS has not all that ONNX says. */
  fail(problem: string): never {
    throw new EngineError(`TFJS: ${this.node.type} "${this.node.name}": ${problem}`);
  }
}

/** An axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
