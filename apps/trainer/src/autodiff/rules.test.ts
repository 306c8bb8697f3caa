/** Finite differences for every row of the table of gradients, run on the engine that trains. */
import { describe, expect, test } from 'vitest';
import { loader } from '../engine/testing.ts';
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';
import { numbersOf, tensorOf } from '../ir/tensor.ts';
import { checkGradient, type GradientCase } from './check.ts';
import { gradients } from './gradients.ts';
import { CASES as ACTIVATION } from './rules/activation.cases.ts';
import { CASES as ATTENTION } from './rules/attention.cases.ts';
import { CASES as CONV } from './rules/conv.cases.ts';
import { CASES as EINSUM } from './rules/einsum.cases.ts';
import { CASES as ELEMENTWISE } from './rules/elementwise.cases.ts';
import { CASES as LAYOUT } from './rules/layout.cases.ts';
import { CASES as MATRIX } from './rules/matrix.cases.ts';
import { CASES as NORMALISE } from './rules/normalise.cases.ts';
import { CASES as POOL } from './rules/pool.cases.ts';
import { CASES as RECURRENT } from './rules/recurrent.cases.ts';
import { CASES as REDUCE } from './rules/reduce.cases.ts';
import { CASES as RESIZE } from './rules/resize.cases.ts';
import { CASES as SELECT } from './rules/select.cases.ts';
import { type DifferentiableOp, RULES } from './rules.ts';
import { type Cases, fill } from './testing.ts';

const load = await loader();

/** Total over the differentiable operations: a rule without a check does not compile. */
const CASES: Cases<DifferentiableOp> = {
  ...ACTIVATION,
  ...ATTENTION,
  ...CONV,
  ...EINSUM,
  ...ELEMENTWISE,
  ...LAYOUT,
  ...MATRIX,
  ...NORMALISE,
  ...POOL,
  ...RECURRENT,
  ...REDUCE,
  ...RESIZE,
  ...SELECT,
};

describe('every rule agrees with the measured slope', () => {
  const rules = Object.entries(RULES).flatMap(([name, rule]) => (typeof rule === 'function' ? [name] : []));
  test('the cases are the rules', () => {
    expect(Object.keys(CASES).sort()).toEqual(rules.sort());
  });
  describe.each(['CPU', 'WEBGPU'] as const)('with the kernels for %s', (target) => {
    for (const [name, cases] of Object.entries(CASES))
      test(name, async () => {
        for (const { type = 'DOUBLE', ...rest } of cases) {
          const worst = await checkGradient({ type, ...rest }, load, { target });
          // FLOAT leaves the measured slope about three digits, a cast through it at the step of DOUBLE about two.
          expect(worst).toBeLessThan(name === 'Cast' ? 2e-2 : type === 'FLOAT' ? 5e-3 : 1e-7);
        }
      });
  });
});

describe('gradients', () => {
  test('a wrong gradient is noticed', async () => {
    const wrong: GradientCase = {
      type: 'DOUBLE',
      inputs: [fill([3])],
      // round trip through INT64 has no gradient, but the value moves with x
      build: (x) => op.Add(op.Cast(op.Cast(op.Mul(x, 1e6), 'INT64'), 'DOUBLE'), x),
    };
    expect(await checkGradient(wrong, load)).toBeGreaterThan(0.5);
  });

  test('equal maxima share', async () => {
    const g = new GraphBuilder('ties');
    const x = g.input('x', 'FLOAT', [4]);
    gradients(op.ReduceMax(x), [x]).forEach((dx) => {
      g.output('dx', dx);
    });
    const run = await load(encodeModel(g.model()));
    const dx = (await run([tensorOf('x', 'FLOAT', [4], [1, 3, 3, 2])])).get('dx');
    expect(dx && numbersOf(dx)).toEqual([0, 0.5, 0.5, 0]);
  });

  test('says what it cannot do', () => {
    const g = new GraphBuilder('errors');
    const x = g.input('x', 'FLOAT', [3]);
    const other = g.input('other', 'FLOAT', []);
    expect(() => gradients(x, [x])).toThrow('gradients: "x" must be one real number; it is FLOAT [3]');
    expect(() => gradients(op.ReduceSum(x), [other])).toThrow('does not depend on "other"');
    const n = g.input('n', 'FLOAT', ['N']);
    expect(() => gradients(op.ReduceSum(n), [n])).toThrow('gradients need a graph without named axes');
  });
});
