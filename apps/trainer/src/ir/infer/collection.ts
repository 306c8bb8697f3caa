/** Rules of sequences and optional values. */
import type { ValueType } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { typeAttribute } from './elementwise.ts';
import { either, type Fact, fact, tensor } from './fact.ts';

function sequence(of: ValueType | null): Fact {
  return fact({ kind: 'SEQUENCE', of });
}

/** Type of a sequence's or an optional's element. */
function elementOf(c: Call, index: number): ValueType | null {
  const type = c.inputs[index]?.type;
  return type?.kind === 'SEQUENCE' || type?.kind === 'OPTIONAL' ? type.of : null;
}

function concatenated(c: Call): Fact {
  const of = elementOf(c, 0);
  const shape = of?.kind === 'TENSOR' ? of.shape : null;
  const type = of?.kind === 'TENSOR' ? of.type : null;
  if (!shape) return tensor(type, null);
  const axis = c.int('axis', 0);
  if (c.flag('new_axis')) return tensor(type, shape.toSpliced(c.axis(axis, shape.length + 1), 0, null));
  return tensor(type, shape.with(c.axis(axis, shape.length), null));
}

function splitToSequence(c: Call): Fact {
  const shape = c.shape(0);
  if (!shape) return sequence({ kind: 'TENSOR', type: c.type(0), shape: null });
  const at = c.axis(c.int('axis', 0), shape.length);
  const dropped = !c.has(1) && !c.flag('keepdims', true);
  const piece = dropped ? shape.toSpliced(at, 1) : shape.with(at, c.has(1) ? null : 1);
  return sequence({ kind: 'TENSOR', type: c.type(0), shape: piece });
}

/** The body runs once per element; further inputs are sequences of the same length or plain tensors. */
function sequenceMap(c: Call): readonly Fact[] {
  const body = c.attribute('body', 'GRAPH')?.value ?? c.fail('needs the graph attribute "body"');
  const inputs = c.inputs.map((input) =>
    fact(input?.type?.kind === 'SEQUENCE' ? input.type.of : (input?.type ?? null)),
  );
  return c.inferGraph(body, inputs).map(({ type }) => sequence(type));
}

function inserted(c: Call): Fact {
  const of = elementOf(c, 0);
  return sequence(of ? either(of, c.inputs[1]?.type ?? null) : null);
}

function optional(c: Call): Fact {
  return fact({ kind: 'OPTIONAL', of: c.attribute('type', 'TYPE')?.value ?? c.inputs[0]?.type ?? null });
}

/** The rules of this file. */
export const COLLECTION: Rules = {
  SequenceEmpty: (c) => sequence({ kind: 'TENSOR', type: typeAttribute(c, 'dtype') ?? 'FLOAT', shape: null }),
  SequenceConstruct: (c) =>
    sequence(c.inputs.map((input) => input?.type ?? null).reduce((one, other) => either(one, other))),
  SequenceInsert: inserted,
  SequenceErase: (c) => sequence(elementOf(c, 0)),
  SequenceAt: (c) => fact(elementOf(c, 0)),
  SequenceLength: () => tensor('INT64', []),
  SequenceMap: sequenceMap,
  SplitToSequence: splitToSequence,
  ConcatFromSequence: concatenated,
  Optional: optional,
  OptionalHasElement: () => tensor('BOOL', []),
  OptionalGetElement: (c) =>
    fact(c.inputs[0]?.type?.kind === 'OPTIONAL' ? elementOf(c, 0) : (c.inputs[0]?.type ?? null)),
};
