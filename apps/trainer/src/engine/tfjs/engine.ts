/**
 * TFJS: the graphs of this trainer interpreted by TensorFlow.js, with its own autodiff. On an NVIDIA GPU by the native
 * package; in plain JavaScript slow, but made by other people than everything else here: an oracle for tests.
 */
import { decodeModel } from '../../ir/decode.ts';
import type { Engine } from '../engine.ts';
import { evaluatorOver, graphOver } from '../programs.ts';
import type { Session } from '../session.ts';
import { interpreted, openMixed } from './columns.ts';
import { Interpreter } from './interpreter.ts';
import { loadTensorFlow, type Tf } from './tensorflow.ts';
import { TensorState, tfTrainer } from './training.ts';

/** TensorFlow.js. @throws EngineError where it is not installed */
export async function tfjs(): Promise<Engine> {
  const { tf, device } = await loadTensorFlow();
  return {
    name: 'TFJS',
    device,
    loop: 'SINGLE',
    target: 'WEBGPU',
    hold: async (state) => new TensorState(tf, state),
    trainer: async (program) => tfTrainer(tf, program),
    evaluator: async (program) => evaluatorOver(openSession(tf, program.model), program),
    graph: async (model) => graphOver(await openMixed(tf, model)),
  };
}

function openSession(tf: Tf, model: Uint8Array): Session {
  const { graph } = decodeModel(model);
  const interpreter = new Interpreter(tf, graph, { outputs: graph.outputs.map(({ name }) => name) });
  return {
    run: async (feeds) => interpreted(tf, interpreter, feeds),
    close: async () => interpreter.close(),
  };
}
