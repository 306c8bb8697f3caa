/** Sums of products, written as an equation over named axes. */
import type { Value } from '../builder.ts';
import { GraphError } from '../errors.ts';
import type { Dim } from '../types.ts';
import { expectPair, expectType, NUMBER, only, refuse, refuseArgument, text } from './check.ts';

/** An equation taken apart: the letters of each operand, and of the result. */
export interface Equation {
  readonly operands: readonly string[];
  readonly result: string;
}

/** "bij,bjk->bik" -> its letters; undefined for what is not such an equation: each letter once per operand. */
export function parseEquation(equation: string): Equation | undefined {
  const [left = '', result, ...more] = equation.replaceAll(' ', '').split('->');
  const operands = left.split(',');
  const once = (letters: string) => /^[a-zA-Z]*$/.test(letters) && new Set(letters).size === letters.length;
  if (result === undefined || more.length > 0 || ![...operands, result].every(once)) return undefined;
  return [...result].every((letter) => left.includes(letter)) ? { operands, result } : undefined;
}

/** The result's axes are those behind the arrow; all other axes are summed: Einsum('bij,bjk->bik', [a, b]). */
export function Einsum(equation: string, values: readonly Value[]): Value {
  const [first] = values;
  const parsed = parseEquation(equation);
  if (!first) throw new GraphError('Einsum: needs at least one value');
  if (!parsed || parsed.operands.length !== values.length)
    return refuseArgument('Einsum', first, `"${equation}" must name ${values.length} operands, "->" and the result`);
  const lengths = new Map<string, Exclude<Dim, null>>();
  values.forEach((value, index) => {
    const letters = parsed.operands[index] ?? '';
    expectType('Einsum', index, value, NUMBER);
    expectPair('Einsum', first, value);
    if (letters.length !== value.shape.length) refuse('Einsum', index, value, `of ${letters.length} axes "${letters}"`);
    value.shape.forEach((dim, axis) => {
      const letter = letters[axis] ?? '';
      if ((lengths.get(letter) ?? dim) !== dim)
        refuse('Einsum', index, value, `of length ${lengths.get(letter)} along "${letter}"`);
      lengths.set(letter, dim);
    });
  });
  const shape = [...parsed.result].map((letter) => lengths.get(letter) ?? 1);
  const attributes = { equation: text(equation) };
  return only(first.graph.emit({ type: 'Einsum', inputs: values, outputs: [{ type: first.type, shape }], attributes }));
}
