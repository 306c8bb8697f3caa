/** The engine that trains, as checks of gradients want it. */
import type { LoadGraph } from '../autodiff/check.ts';
import { ortCpu } from './ort-cpu.ts';

/** Runs graphs on ORT_CPU with one thread. */
export async function loader(): Promise<LoadGraph> {
  const engine = await ortCpu({ threads: 1 });
  return async (model) => {
    const graph = await engine.graph(model);
    return (inputs) => graph.run(inputs);
  };
}
