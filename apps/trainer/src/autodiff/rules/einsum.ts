/** The gradient of Einsum is Einsum with result and operand exchanged. */

import { parseEquation } from '../../ir/ops/einsum.ts';
import * as op from '../../ir/ops.ts';
import { lengthsOf, type Rule, textOf } from '../rule.ts';

/** d of an operand: the sum over everything it does not have of dY times the other operands. */
export const Einsum: Rule = (node, [dy]) => {
  const equation = parseEquation(textOf(node, 'equation'));
  if (!equation || !dy) return [];
  const { operands, result } = equation;
  return node.inputs.map((x, index) => {
    if (!x) return null;
    const rest = operands.filter((_, other) => other !== index);
    const values = node.inputs.filter((_, other) => other !== index).flatMap((value) => value ?? []);
    const own = operands[index] ?? '';
    const known = [...own].filter((letter) => result.includes(letter) || rest.some((term) => term.includes(letter)));
    const part = op.Einsum(`${[result, ...rest].join(',')}->${known.join('')}`, [dy, ...values]);
    // An axis that only this operand had was summed alone: its slope is the same everywhere.
    const missing = [...own].flatMap((letter, axis) => (known.includes(letter) ? [] : [axis]));
    return missing.length === 0 ? part : op.Expand(op.Unsqueeze(part, missing), lengthsOf(x));
  });
};
