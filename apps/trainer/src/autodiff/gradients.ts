/** Reverse-mode differentiation: appends to a graph the nodes that compute dL/dx. Knows the rules only as a table. */
import type { Operation, Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { describe } from '../ir/shapes.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules.ts';

/** The gradient of a scalar loss by one value, as a further value of the same graph. */
export function gradientOf(loss: Value, by: Value): Value {
  const [gradient] = gradients(loss, [by]);
  if (!gradient) throw new GraphError(`gradients: none for "${by.name}"`);
  return gradient;
}

/** The gradients of a scalar loss by each of these values, as further values of the same graph. */
export function gradients(loss: Value, by: readonly Value[]): Value[] {
  if (loss.shape.length > 0 || (loss.type !== 'FLOAT' && loss.type !== 'DOUBLE'))
    throw new GraphError(`gradients: "${loss.name}" must be one real number; it is ${describe(loss.type, loss.shape)}`);
  const { graph } = loss;
  const forward = [...graph.operations];
  const moving = movingWith(by, forward);
  const grads = new Map<Value, Value>([[loss, graph.constant(loss.type, [], [1])]]);
  graph.scope('gradient', () => {
    for (const node of forward.reverse()) propagate(node, moving, grads);
  });
  return by.map((value) => {
    const gradient = grads.get(value);
    if (!gradient) throw new GraphError(`gradients: the loss "${loss.name}" does not depend on "${value.name}"`);
    return gradient;
  });
}

/** The values that change when one of these does: only through them does the gradient travel. */
function movingWith(sources: readonly Value[], forward: readonly Operation[]): ReadonlySet<Value> {
  const moving = new Set(sources);
  for (const { inputs, outputs } of forward)
    if (inputs.some((value) => value !== null && moving.has(value))) for (const value of outputs) moving.add(value);
  return moving;
}

function propagate(node: Operation, moving: ReadonlySet<Value>, grads: Map<Value, Value>): void {
  const dy = node.outputs.map((value) => grads.get(value) ?? null);
  if (dy.every((d) => d === null) || !node.inputs.some((value) => value !== null && moving.has(value))) return;
  const dx = ruleOf(node)?.(node, dy) ?? [];
  node.inputs.forEach((value, index) => {
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
