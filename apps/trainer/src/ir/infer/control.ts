/** Rules of operations that run graphs: branches and loops. */
import type { Graph } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { either, type Fact, fact, shapeOf, tensor, UNKNOWN } from './fact.ts';

function subgraph(c: Call, name: string): Graph {
  return c.attribute(name, 'GRAPH')?.value ?? c.fail(`needs the graph attribute "${name}"`);
}

/** What both branches agree on. */
function branch(c: Call): readonly Fact[] {
  const [yes, no] = ['then_branch', 'else_branch'].map((name) => c.inferGraph(subgraph(c, name), []));
  if (yes?.length !== no?.length)
    c.fail(`then_branch has ${yes?.length} outputs, else_branch ${no?.length}; expected as many`);
  return (yes ?? []).map((one, index) => fact(either(one.type, no?.[index]?.type ?? null)));
}

/**
 * Body inputs: iteration, condition, carried values. Outputs: condition, carried values, then one slice per iteration
 * of each scan output. A carried value may change its shape while the loop runs, so only its type is passed in.
 */
function loop(c: Call): readonly Fact[] {
  const body = subgraph(c, 'body');
  const carried = c.inputs.slice(2);
  expectInputs(c, body, carried.length + 2);
  const within = [tensor('INT64', []), tensor('BOOL', []), ...carried.map((value) => kindOnly(value ?? UNKNOWN))];
  const [, ...results] = c.inferGraph(body, within);
  return results.map((result, index) =>
    index < carried.length ? fact(either(carried[index]?.type ?? null, result.type)) : stacked(result, null),
  );
}

function kindOnly({ type }: Fact): Fact {
  return type?.kind === 'TENSOR' ? tensor(type.type, null) : fact(type);
}

function expectInputs(c: Call, body: Graph, count: number): void {
  if (body.inputs.length !== count)
    c.fail(`the body "${body.name}" has ${body.inputs.length} inputs, expected ${count}`);
}

function stacked(result: Fact, steps: number | string | null, axis = 0): Fact {
  const type = result.type?.kind === 'TENSOR' ? result.type.type : null;
  const shape = shapeOf(result);
  const at = shape && axis < 0 ? axis + shape.length + 1 : axis;
  return tensor(type, shape ? shape.toSpliced(at, 0, steps) : null);
}

/** Opset 8 had a batch axis and the sequence lengths as first input. */
function scan(c: Call): readonly Fact[] {
  const body = subgraph(c, 'body');
  if (c.opset < 9) return c.node.outputs.map(() => UNKNOWN);
  const sequences = c.int('num_scan_inputs', 0);
  const states = c.inputs.length - sequences;
  expectInputs(c, body, c.inputs.length);
  const axes = c.ints('scan_input_axes');
  let steps: number | string | null = null;
  const within = c.inputs.map((input, index) => {
    const shape = input ? shapeOf(input) : null;
    if (index < states || !shape) return fact(input?.type ?? null);
    const at = c.axis(axes?.[index - states] ?? 0, shape.length);
    steps ??= shape[at] ?? null;
    return tensor(c.type(index), shape.toSpliced(at, 1));
  });
  const out = c.ints('scan_output_axes');
  return c
    .inferGraph(body, within)
    .map((result, index) => (index < states ? fact(result.type) : stacked(result, steps, out?.[index - states] ?? 0)));
}

/** The rules of this file. */
export const CONTROL: Rules = { If: branch, Loop: loop, Scan: scan };
