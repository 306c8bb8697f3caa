/**
 * Training with TensorFlow.js: the compiled step is cut at the gradient. In front of it stand the forward graph and the
 * loss, which tf differentiates by itself; behind it stands the optimiser, whose nodes are run as they are.
 */
import type { TrainingProgram } from '../../autodiff/compile.ts';
import { decodeModel } from '../../ir/decode.ts';
import type { State } from '../../optim/state.ts';
import { expectState, stepsOf } from '../chunk.ts';
import { type Chunk, EngineError, type HeldState, type Trainer } from '../engine.ts';
import { stepFeeds, vectorsOf } from '../programs.ts';
import type { Feeds } from '../session.ts';
import { Interpreter } from './interpreter.ts';
import type { Tensor, Tf } from './tensorflow.ts';

type Vector = ReturnType<typeof vectorsOf>[number];

/** A state in TensorFlow.js's memory. */
export class TensorState implements HeldState {
  readonly from: State;
  steps: number;
  readonly vectors = new Map<Vector, Tensor>();
  readonly #tf: Tf;

  constructor(tf: Tf, state: State) {
    this.#tf = tf;
    this.from = state;
    this.steps = state.step;
  }

  static of(held: HeldState): TensorState {
    if (held instanceof TensorState) return held;
    throw new EngineError('the state is held by another engine; read() it there and hold() it here');
  }

  /** A vector of the state; it goes to the device when it is first used. */
  tensor(name: Vector): Tensor {
    const known = this.vectors.get(name) ?? this.#tf.tensor1d(this.from[name]);
    this.vectors.set(name, known);
    return known;
  }

  replace(name: Vector, tensor: Tensor): void {
    this.vectors.get(name)?.dispose();
    this.vectors.set(name, tensor);
  }

  async read(): Promise<State> {
    const arrays = [...this.vectors].map(([name, tensor]) => [name, Float32Array.from(tensor.dataSync())]);
    return { ...this.from, ...Object.fromEntries(arrays), step: this.steps };
  }

  async close(): Promise<void> {
    for (const tensor of this.vectors.values()) tensor.dispose();
    this.vectors.clear();
  }
}

/** Trains by one step after the other. */
export function tfTrainer(tf: Tf, program: TrainingProgram): Trainer {
  if (program.loop !== 'SINGLE') throw new EngineError('TFJS runs one step at a time: compile with loop SINGLE');
  const { graph } = decodeModel(program.model);
  const names = vectorsOf(program);
  const slots = names.filter((name) => name !== 'buffers');
  const buffers = names.filter((name) => name === 'buffers');
  const loss = new Interpreter(tf, graph, { outputs: ['losses', ...buffers.map((name) => `${name}'`)] });
  const update = new Interpreter(tf, graph, {
    outputs: slots.map((name) => `${name}'`),
    given: [program.gradient],
  });
  const step: Trainer['step'] = async (held, chunk) => {
    const state = TensorState.of(held);
    const steps = stepsOf(program, chunk);
    if (state.vectors.size === 0) expectState(program, state.from);
    const losses = Array.from({ length: steps }, (_, at) => stepOnce(tf, { program, loss, update, state }, chunk, at));
    const stacked = tf.stack(losses);
    const values = Float32Array.from(stacked.dataSync());
    tf.dispose([stacked, ...losses]);
    return values;
  };
  return {
    step,
    async run(from, chunk) {
      const held = new TensorState(tf, from);
      const losses = await step(held, chunk);
      const state = await held.read();
      await held.close();
      return { state, losses };
    },
    async close() {
      loss.close();
      update.close();
    },
  };
}

interface Loaded {
  readonly program: TrainingProgram;
  readonly loss: Interpreter;
  readonly update: Interpreter;
  readonly state: TensorState;
}

/** One step; answers its loss, still on the device. */
function stepOnce(tf: Tf, { program, loss, update, state }: Loaded, chunk: Chunk, at: number): Tensor {
  const names = vectorsOf(program);
  const kept = tf.tidy(() => {
    const batch = tensorsOf(tf, stepFeeds(program, chunk, at));
    const inputs = new Map(batch);
    for (const name of names) inputs.set(name, state.tensor(name));
    inputs.set('step', tf.tensor1d([state.steps], 'int32'));
    let answers = new Map<string, Tensor>();
    const gradientOf = tf.valueAndGrad((params: Tensor) => {
      answers = loss.run(new Map(inputs).set('params', params));
      for (const tensor of answers.values()) tf.keep(tensor);
      return answers.get('losses') as never;
    });
    const { grad } = gradientOf(state.tensor('params'));
    const next = update.run(inputs.set(program.gradient, grad));
    return { ...Object.fromEntries(answers), ...Object.fromEntries(next) };
  });
  for (const name of names) {
    const tensor = kept[`${name}'`];
    if (tensor) state.replace(name, tensor);
  }
  state.steps++;
  return kept.losses ?? tf.scalar(Number.NaN);
}

/** Plain tensors on the device. */
export function tensorsOf(tf: Tf, feeds: Feeds): Map<string, Tensor> {
  return new Map(
    Object.entries(feeds).map(([name, { type, dims, data }]) => {
      if (type !== 'float32' && type !== 'int32' && type !== 'bool')
        throw new EngineError(`TFJS has no tensors of ${type} (input "${name}")`);
      return [name, tf.tensor(data, [...dims], type)];
    }),
  );
}
