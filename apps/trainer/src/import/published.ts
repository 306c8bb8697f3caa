/** Shapes that a file declares and its graph contradicts: they are taken off, running the model tells them. Pure. */
import type { Model, ValueInfo } from '../ir/types.ts';
import { type Changed, requiredInputs } from './nodes.ts';

/** The model without what it says of the shapes of its results, or of lengths of its inputs too. */
export function withoutPublished(model: Model, what: 'RESULTS' | 'ALL'): Changed {
  const { graph } = model;
  const outputs = graph.outputs.map(shapeless);
  const results = { ...graph, outputs, values: [] };
  if (what === 'RESULTS')
    return {
      model: { ...model, graph: results },
      changes: ['the declared shapes of outputs and inner values contradict the graph: they are left out'],
    };
  const required = new Set(requiredInputs(model).map(({ name }) => name));
  const inputs = graph.inputs.map((info) => (required.has(info.name) ? lengthless(info) : info));
  return {
    model: { ...model, graph: { ...results, inputs } },
    changes: ['the declared shapes contradict the graph: they are left out, of inputs their lengths'],
  };
}

/** Says nothing of the shape. */
export function shapeless(info: ValueInfo): ValueInfo {
  return info.type?.kind === 'TENSOR' ? { ...info, type: { ...info.type, shape: null } } : info;
}

function lengthless(info: ValueInfo): ValueInfo {
  if (info.type?.kind !== 'TENSOR' || !info.type.shape) return info;
  return { ...info, type: { ...info.type, shape: info.type.shape.map(() => null) } };
}
