/** Which constants an imported graph has, and how they are kept from filling the heap. Pure. */
import type { Model, Tensor } from '../ir/types.ts';
import { type Changed, requiredInputs } from './nodes.ts';

/** Constants need no input of their own since this version of the file format. */
const FIXED_CONSTANTS = 4;

/** Defaults become constants: the edge feeds no defaults, and what is constant is computed once. */
export function withoutDefaults(model: Model): Changed {
  const required = requiredInputs(model);
  const count = model.graph.inputs.length - required.length;
  if (count === 0) return { model, changes: [] };
  const irVersion = Math.max(FIXED_CONSTANTS, model.irVersion);
  const changes = [`${count} weights that were listed as inputs too are constants only`];
  return { model: { ...model, irVersion, graph: { ...model.graph, inputs: required } }, changes };
}

/**
 * Weights that ConstantOfShape makes take no room in the file, but all of them in the heap once the runtime has
 * computed them beforehand. Their shapes as inputs with defaults are no constants to it: it then makes each weight when
 * it is needed. Null where nothing is made so.
 */
export function madeWhenNeeded(model: Model): Changed | null {
  const { graph } = model;
  const shapes = new Set(
    graph.nodes.flatMap(({ type, domain, inputs }) =>
      type === 'ConstantOfShape' && domain === '' ? [inputs[0] ?? ''] : [],
    ),
  );
  const defaults = graph.initializers.filter(({ name }) => shapes.has(name));
  if (defaults.length === 0) return null;
  const listed = new Set(graph.inputs.map(({ name }) => name));
  const inputs = [...graph.inputs, ...defaults.filter(({ name }) => !listed.has(name)).map(infoOf)];
  return {
    model: { ...model, irVersion: Math.max(FIXED_CONSTANTS, model.irVersion), graph: { ...graph, inputs } },
    changes: [`${defaults.length} weights of one repeated value are made when needed: all at once fill the heap`],
  };
}

function infoOf({ name, type, dims }: Tensor) {
  return { name, type: { kind: 'TENSOR' as const, type, shape: dims } };
}
