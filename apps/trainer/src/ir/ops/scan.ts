/** A loop inside the graph. */
import type { GraphBuilder, Value } from '../builder.ts';
import { GraphError } from '../errors.ts';
import { sameShape } from '../shapes.ts';
import { int, refuse } from './check.ts';

/** What a loop runs over. */
export interface Loop {
  /**
   * Its inputs are the states, then one slice of every sequence; its outputs the new states, then one slice of each
   * result.
   */
  readonly body: GraphBuilder;
  readonly states: readonly Value[];
  /** Cut along axis 0; all of the same length, which is the number of steps. */
  readonly sequences: readonly Value[];
}

/** Runs the body once per step; returns the last states, then the results of all steps stacked along axis 0. */
export function Scan(graph: GraphBuilder, { body, states, sequences }: Loop): readonly Value[] {
  const inputs = [...states, ...sequences];
  if (body.inputs.length !== inputs.length)
    throw new GraphError(
      `${graph.place('Scan')}: the body has ${body.inputs.length} inputs, expected ${inputs.length}`,
    );
  const steps = sequences[0]?.shape[0];
  if (steps === undefined) throw new GraphError(`${graph.place('Scan')}: needs a sequence to run over`);
  inputs.forEach((value, index) => {
    const inner = body.inputs[index];
    const sequence = index >= states.length;
    const shape = sequence ? value.shape.slice(1) : value.shape;
    if (!inner || inner.type !== value.type || !sameShape(inner.shape, shape))
      refuse(
        'Scan',
        index,
        value,
        `what the body takes: ${inner?.type} [${inner?.shape}]${sequence ? ' per step' : ''}`,
      );
    if (sequence && value.shape[0] !== steps) refuse('Scan', index, value, `of ${steps} steps`);
  });
  const outputs = body.outputs.map(({ type, shape, name }, index) => {
    const state = states[index];
    if (state && (state.type !== type || !sameShape(state.shape, shape)))
      refuse('Scan', index, state, `what the body returns as "${name}": ${type} [${shape}]`);
    return { type, shape: state ? shape : [steps, ...shape] };
  });
  const attributes = { body: { type: 'GRAPH', value: body.graph() }, num_scan_inputs: int(sequences.length) } as const;
  return graph.emit({ type: 'Scan', inputs, outputs, attributes });
}
