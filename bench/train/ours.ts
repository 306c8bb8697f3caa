/** A contender of bench/train.ts: one of our engines. Arguments: engine, network, threads. */
import { compileTraining } from '../../apps/trainer/src/autodiff/compile.ts';
import type { EngineName } from '../../apps/trainer/src/engine/engine.ts';
import { openEngine } from '../../apps/trainer/src/engine/index.ts';
import { initialState } from '../../apps/trainer/src/optim/state.ts';
import { BATCHES, benchChunk, benchModel, benchStart, type ModelName } from './models.ts';
import { serve } from './protocol.ts';

const [, , engineName, modelName, threads] = process.argv;
const model = benchModel(modelName as ModelName);
const { engine } = await openEngine(engineName as EngineName, { threads: Number(threads ?? 1) });
const program = compileTraining({ ...model, loop: engine.loop, target: engine.target });
const trainer = await engine.trainer(program);
const held = await engine.hold(initialState(program, benchStart(model)));

/** The trainer's own loop prepares chunks while it is not measured here; that is what "overhead" measures. */
await serve((steps) => {
  const longest = Math.min(steps, 8 * BATCHES);
  const chunks: ReturnType<typeof benchChunk>[] = [];
  for (let left = steps; left > 0; left -= longest) chunks.push(benchChunk(model, Math.min(longest, left)));
  return async () => {
    const losses: number[] = [];
    for (const chunk of chunks) losses.push(...(await trainer.step(held, chunk)));
    return losses;
  };
});
