/** What holds for every network: its gradients, that it learns, and that serving computes what training did. */
import { describe, expect, test } from 'vitest';
import { checkGradient } from '../autodiff/check.ts';
import { compileTraining } from '../autodiff/compile.ts';
import { ortCpu } from '../engine/ort-cpu.ts';
import { loader } from '../engine/testing.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import type { Tensor } from '../ir/types.ts';
import { initialState } from '../optim/state.ts';
import { Random } from '../random.ts';
import { zoo } from './index.ts';
import { infer } from './inference.ts';
import { type Mode, type Network, parameterSize, rowShape, rowType, type Weights } from './network.ts';
import { ALL_TINY, rowsFor, type Tiny } from './testing.ts';

const engine = ortCpu({ threads: 1 });
const OUTPUTS = 3;
const ROWS = 4;

const networkOf = ({ architecture, input }: Tiny) => zoo(architecture, { input, outputs: OUTPUTS });

/** Weights that are not what initialisation gives: there gains are 1 and biases 0, which hides mistakes. */
function disturbed(network: Network): Weights {
  const random = Random.from(3, 'weights');
  const params = network.initialise(Random.from(2, 'init')).map((value) => value + 0.3 * random.normal());
  const buffers = network.initialBuffers().map((value) => value + 0.3 * random.float());
  return { params, buffers };
}

/**
 * Differences cannot be measured across the kink of a relu: what is added in front of each is so large that all numbers
 * of a channel are on one side of it; every third channel is dead.
 */
function awayFromKinks(network: Network, { params, buffers }: Weights): Weights {
  const moved = params.slice();
  let at = 0;
  for (const { name, shape } of network.parameters) {
    const size = parameterSize({ shape });
    if (/(norm|stage\d|dense\d|layer0)\.bias$/.test(name))
      for (let i = 0; i < size; i++) moved[at + i] = i % 3 === 2 ? -8 : 8;
    at += size;
  }
  return { params: moved, buffers };
}

/** The parts of a flat vector. */
function cut(flat: Float32Array, tensors: readonly { shape: readonly number[] }[]) {
  let at = 0;
  return tensors.map(({ shape }) => {
    const size = parameterSize({ shape });
    at += size;
    return { dims: [...shape], values: Array.from(flat.subarray(at - size, at)) };
  });
}

describe.each(ALL_TINY)('%s', (_name, tiny) => {
  const network = networkOf(tiny);
  const { input } = tiny;
  const x = rowsFor(input, ROWS);
  const training = (g: GraphBuilder, weight = [1, 1, 1, 1]): Mode => ({
    kind: 'TRAINING',
    seed: g.constant('INT32', [], [5]),
    weight: g.constant('FLOAT', [ROWS], weight),
  });

  test('gradients are the measured slopes, for every number of every parameter', async () => {
    const smooth = 'transformer' in tiny.architecture;
    const { params, buffers } = smooth ? disturbed(network) : awayFromKinks(network, disturbed(network));
    const state = cut(buffers, network.buffers);
    const worst = await checkGradient(
      {
        type: 'FLOAT',
        step: 2e-3,
        inputs: cut(params, network.parameters),
        build: (...values: Value[]) => {
          const g = values[0]?.graph ?? new GraphBuilder('none');
          const rows = g.constant(rowType(input), [ROWS, ...rowShape(input)], x);
          const running = state.map(({ dims, values: numbers }) => g.constant('FLOAT', dims, numbers));
          return network.forward(rows, values, running, training(g, [1, 1, 0, 1])).logits;
        },
      },
      await loader(),
    );
    expect(worst).toBeLessThan(0.02);
  }, 60_000);

  test('forty steps on one batch at least halve its loss', async () => {
    const { losses } = await trained(network, x, { steps: 40 });
    expect(losses[0]).toBeGreaterThan(0.5);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
  });

  test('the same seed gives the same bytes, in one call or in several', async () => {
    const [whole, again] = [await trained(network, x, { steps: 5 }), await trained(network, x, { steps: 5 })];
    expect(again.state).toEqual(whole.state);
    const part = await trained(network, x, { steps: 2 });
    const rest = await trained(network, x, { steps: 3, from: part.state });
    expect(rest.state).toEqual(whole.state);
  });

  // with batch statistics the two differ by design
  if (network.bufferCount === 0)
    test('inference computes what training does', async () => {
      const weights = disturbed(network);
      const logits = async (mode: (g: GraphBuilder) => Mode) => {
        const g = new GraphBuilder('forward');
        const rows = g.input('x', rowType(input), [ROWS, ...rowShape(input)]);
        const values = cut(weights.params, network.parameters).map(({ dims, values: numbers }, index) =>
          g.initializer(network.parameters[index]?.name ?? '', 'FLOAT', dims, numbers),
        );
        g.output('logits', network.forward(rows, values, [], mode(g)).logits);
        return numbersOf(outputOf(await run(g, xTensor(network, x)), 'logits'));
      };
      expect(await logits(training)).toEqual(await logits(() => ({ kind: 'INFERENCE' })));
    });

  test('padded with rows of weight 0, a batch trains the same', async () => {
    const two = x.slice(0, (x.length / ROWS) * 2);
    const alone = await trained(network, two, { steps: 3, rows: 2 });
    const junk = rowsFor(input, 2, 9);
    const padded =
      two instanceof Int32Array ? Int32Array.from([...two, ...junk]) : Float32Array.from([...two, ...junk]);
    const beside = await trained(network, padded, { steps: 3, weight: [1, 1, 0, 0] });
    expect(Math.max(...difference(alone.state.params, beside.state.params))).toBeLessThan(2e-3);
    expect(Math.max(0, ...difference(alone.state.buffers, beside.state.buffers))).toBeLessThan(1e-4);
  });

  if (input.kind === 'TOKENS')
    test('answers do not depend on the padding, nor on whether its length is known', async () => {
      const weights = disturbed(network);
      const answer = async (length: number | 'T', tokens: number[]) => {
        const g = new GraphBuilder('artifact');
        const rows = g.input('x', 'INT32', ['N', length]);
        g.output('probabilities', infer(rows, { network, weights, task: 'MULTICLASS' }));
        const dims = [1, tokens.length];
        return numbersOf(outputOf(await run(g, tensorOf('x', 'INT32', dims, tokens)), 'probabilities'));
      };
      const alone = await answer(3, [2, 4, 1]);
      for (const other of [
        await answer(5, [2, 4, 1, 0, 0]),
        await answer('T', [2, 4, 1]),
        await answer('T', [2, 4, 1, 0]),
      ])
        expect(Math.max(...difference(alone, other))).toBeLessThan(1e-6);
      expect(Math.max(...difference(alone, await answer('T', [2, 4, 2])))).toBeGreaterThan(1e-3);
    });
});

const LABELS = [0, 1, 2, 0];

/** So many steps of AdamW on one batch. */
async function trained(
  network: Network,
  x: Float32Array | Int32Array,
  o: { steps: number; rows?: number; weight?: number[]; from?: Awaited<ReturnType<typeof trained>>['state'] },
) {
  const rows = o.rows ?? ROWS;
  const optimizer = {
    kind: 'ADAMW',
    learningRate: 0.02,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  } as const;
  const program = compileTraining({ network, loss: 'SOFTMAX_CROSS_ENTROPY', optimizer, batchSize: rows, seed: 7 });
  const trainer = await engine.trainer(program);
  const repeat = (values: ArrayLike<number>) => Array.from({ length: o.steps }, () => Array.from(values)).flat();
  const result = await trainer.run(o.from ?? initialState(program, network.initialise(Random.from(1, 'init'))), {
    x: x instanceof Int32Array ? Int32Array.from(repeat(x)) : Float32Array.from(repeat(x)),
    y: Int32Array.from(repeat(LABELS.slice(0, rows))),
    weight: Float32Array.from(repeat(o.weight ?? new Array(rows).fill(1))),
    learningRate: 0.02,
  });
  await trainer.close();
  return result;
}

const xTensor = ({ input }: Network, x: Float32Array | Int32Array) =>
  tensorOf('x', rowType(input), [ROWS, ...rowShape(input)], x);

async function run(g: GraphBuilder, x: Tensor): Promise<ReadonlyMap<string, Tensor>> {
  const graph = await engine.graph(encodeModel(g.model()));
  const outputs = await graph.run([x]);
  await graph.close();
  return outputs;
}

function outputOf(outputs: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = outputs.get(name);
  if (!tensor) throw new Error(`no output ${name}`);
  return tensor;
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  return Array.from(a, (value, index) => Math.abs(value - (b[index] ?? Number.NaN)));
}
