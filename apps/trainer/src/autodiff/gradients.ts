/** Reverse-mode differentiation: appends to a graph the nodes that compute dL/dx. Knows the rules only as a table. */
import type { Operation, Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { describe } from '../ir/shapes.ts';
import { customGradient } from './custom.ts';
import type { Context, Rule, Target } from './rule.ts';
import { RULES } from './rules.ts';

/** How gradients are computed. */
export interface GradientOptions {
  /** CPU, if left out. */
  readonly target?: Target | undefined;
}

/** The gradient of a scalar loss by one value, as a further value of the same graph. */
export function gradientOf(loss: Value, by: Value, options: GradientOptions = {}): Value {
  const [gradient] = gradients(loss, [by], options);
  if (!gradient) throw new GraphError(`gradients: none for "${by.name}"`);
  return gradient;
}

/** The gradients of a scalar loss by each of these values, as further values of the same graph. */
export function gradients(loss: Value, by: readonly Value[], { target = 'CPU' }: GradientOptions = {}): Value[] {
  if (loss.shape.length > 0 || (loss.type !== 'FLOAT' && loss.type !== 'DOUBLE'))
    throw new GraphError(`gradients: "${loss.name}" must be one real number; it is ${describe(loss.type, loss.shape)}`);
  const { graph } = loss;
  const start = new Map([[loss, graph.constant(loss.type, [], [1])]]);
  const found = graph.scope('gradient', () => backward([...graph.operations], by, start, target));
  return by.map((value, index) => {
    const gradient = found[index];
    if (!gradient) throw new GraphError(`gradients: the loss "${loss.name}" does not depend on "${value.name}"`);
    return gradient;
  });
}

/** From the gradients by some values to those by others that they were computed from; null where none arrives. */
function backward(
  forward: readonly Operation[],
  by: readonly Value[],
  start: ReadonlyMap<Value, Value>,
  target: Target,
): (Value | null)[] {
  const moving = movingWith(by, forward);
  const grads = new Map(start);
  const context: Context = {
    target,
    through(inputs, build, dy) {
      const graph = inputs[0]?.graph;
      if (!graph) return [];
      const before = graph.operations.length;
      const outputs = build(inputs);
      const known = outputs.flatMap((value, index): [Value, Value][] => {
        const d = dy[index];
        return d ? [[value, d]] : [];
      });
      return backward(graph.operations.slice(before), inputs, new Map(known), target);
    },
  };
  for (const node of forward.toReversed()) propagate(node, moving, grads, context);
  return by.map((value) => grads.get(value) ?? null);
}

/** The values that change when one of these does: only through them does the gradient travel. */
function movingWith(sources: readonly Value[], forward: readonly Operation[]): ReadonlySet<Value> {
  const moving = new Set(sources);
  for (const { inputs, outputs } of forward)
    if (inputs.some((value) => value !== null && moving.has(value))) for (const value of outputs) moving.add(value);
  return moving;
}

function propagate(node: Operation, moving: ReadonlySet<Value>, grads: Map<Value, Value>, context: Context): void {
  const dy = node.outputs.map((value) => grads.get(value) ?? null);
  if (dy.every((d) => d === null) || !node.inputs.some((value) => value !== null && moving.has(value))) return;
  const custom = customGradient(node, dy);
  const inputs = custom?.inputs ?? node.inputs;
  const dx = custom?.dx ?? ruleOf(node)?.(node, dy, context) ?? [];
  inputs.forEach((value, index) => {
    const d = dx[index];
    if (value === null || !d || !moving.has(value)) return;
    const known = grads.get(value);
    grads.set(value, known ? op.Add(known, d) : d); // a value that is used twice collects both
  });
}

function ruleOf(node: Operation): Rule | undefined {
  const rule = RULES[node.type];
  if (rule === 'MISSING')
    throw new GraphError(`${node.name}: no gradient rule for ${node.type} yet; see autodiff/rules`);
  return rule === 'NONE' ? undefined : rule;
}
