import { beforeAll, describe, expect, test } from 'vitest';
import { GraphBuilder, type Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { EngineError } from '../engine.ts';
import { Interpreter } from './interpreter.ts';
import { loadTensorFlow, type Tf } from './tensorflow.ts';

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow());
});

/** The values of y for x, an INT32 or FLOAT vector. */
function evaluate(x: Int32Array | Float32Array, build: (x: Value) => Value): number[] {
  const g = new GraphBuilder('test');
  g.output('y', build(g.input('x', x instanceof Int32Array ? 'INT32' : 'FLOAT', [x.length])));
  const interpreter = new Interpreter(tf, g.graph(), { outputs: ['y'] });
  const dtype = x instanceof Int32Array ? 'int32' : 'float32';
  const y = tf.tidy(() => interpreter.run(new Map([['x', tf.tensor1d(x, dtype)]])).get('y'));
  const values = Array.from(y?.dataSync() ?? []);
  y?.dispose();
  interpreter.close();
  return values;
}

describe('the interpreter', () => {
  test('says at load which operation it has not, and where', () => {
    const g = new GraphBuilder('test');
    const places = g.constant('INT64', [1, 1], [0]);
    const x = g.input('x', 'FLOAT', [4]);
    g.output(
      'y',
      g.scope('inner', () => op.ScatterND(op.Relu(x), places, g.constant('FLOAT', [1], [2]))),
    );
    const open = () => new Interpreter(tf, g.graph(), { outputs: ['y'] });
    expect(open).toThrow(EngineError);
    expect(open).toThrow('TFJS cannot run ScatterND (first at "inner/ScatterND_0"); choose another engine');
  });

  test('runs only what its outputs need, from the values that are given', () => {
    const g = new GraphBuilder('test');
    const x = g.input('x', 'FLOAT', [2]);
    const hidden = op.ScatterND(x, g.constant('INT64', [1, 1], [0]), g.constant('FLOAT', [1], [2]));
    g.output('y', op.Mul(hidden, 3));
    const interpreter = new Interpreter(tf, g.graph(), { outputs: ['y'], given: [hidden.name] });
    const y = interpreter.run(new Map([[hidden.name, tf.tensor1d([1, 2])]])).get('y');
    expect(Array.from(y?.dataSync() ?? [])).toEqual([3, 6]);
  });

  test('multiplies integers modulo 2^32, as every other engine does', () => {
    const x = Int32Array.of(0, 1, -1, 65_536, 2_000_000_011, -2_147_483_648, 0x7fffffff);
    for (const factor of [0x9e3779b1 | 0, -1, 65_537, -2_147_483_648])
      expect(evaluate(x, (value) => op.Mul(value, factor))).toEqual(Array.from(x, (one) => Math.imul(one, factor)));
  });

  test('normalises as the standard says', () => {
    const [a = 0, b = 0, c = 0] = evaluate(Float32Array.of(1, 2, 4), (x) =>
      op.LayerNormalization(x, x.graph.constant('FLOAT', [3], [1, 1, 2]), null, { axis: -1, epsilon: 0 }),
    );
    const deviation = Math.sqrt(14 / 9);
    expect(a).toBeCloseTo((1 - 7 / 3) / deviation, 5);
    expect(b).toBeCloseTo((2 - 7 / 3) / deviation, 5);
    expect(c).toBeCloseTo((2 * (4 - 7 / 3)) / deviation, 5);
  });
});
