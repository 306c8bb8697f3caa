/** Recurrent layers: one operation over a whole sequence. */
import type { Value } from '../builder.ts';
import type { OpName } from '../ops.ts';
import { sameShape } from '../shapes.ts';
import type { Attribute } from '../types.ts';
import { expectLength, expectPair, expectType, int, REAL, refuse, text } from './check.ts';

/** Which way a layer reads. */
export type Direction = 'forward' | 'reverse' | 'bidirectional';

/** What a layer of g gates and H units over x [T,N,I] has; D is 1, or 2 for bidirectional. */
export interface Recurrence {
  /** [D, g H, I] */
  readonly weight: Value;
  /** [D, g H, H] */
  readonly recurrence: Value;
  /** [D, 2 g H]: of the input, then of the recurrence. */
  readonly bias?: Value | undefined;
  /** [D,N,H]: the hidden state before the first step; zeros if left out. */
  readonly initial?: Value | undefined;
  readonly direction?: Direction | undefined;
}

/** All hidden states [T,D,N,H], and the last one [D,N,H]. */
export interface Recurrent {
  readonly y: Value;
  readonly last: Value;
}

/** Long short-term memory; the gates are i, o, f, c. `initialCell` [D,N,H] is the cell before the first step. */
export function LSTM(x: Value, layer: Recurrence & { readonly initialCell?: Value | undefined }): Recurrent {
  return recurrent('LSTM', x, layer, { gates: 4, extra: layer.initialCell ?? null, attributes: {}, states: 2 });
}

/** Gated recurrent unit; the gates are z, r, h. `resetAfter`: r multiplies the product with the state, as in cuDNN. */
export function GRU(x: Value, layer: Recurrence & { readonly resetAfter?: boolean | undefined }): Recurrent {
  const attributes = { linear_before_reset: int(layer.resetAfter ? 1 : 0) };
  return recurrent('GRU', x, layer, { gates: 3, extra: null, attributes, states: 1 });
}

function recurrent(
  op: OpName,
  x: Value,
  { weight, recurrence, bias, initial, direction = 'forward' }: Recurrence,
  o: { gates: number; extra: Value | null; attributes: Record<string, Attribute>; states: number },
): Recurrent {
  expectType(op, 0, x, REAL);
  if (x.shape.length !== 3) refuse(op, 0, x, '[T,N,I]');
  const [length = 1, rows = 1] = x.shape;
  const [ways, width] = [direction === 'bidirectional' ? 2 : 1, expectLength(op, 0, x, 2)];
  const hidden = expectLength(op, 2, recurrence, 2);
  const expected: readonly [Value | null | undefined, readonly (number | string)[]][] = [
    [weight, [ways, o.gates * hidden, width]],
    [recurrence, [ways, o.gates * hidden, hidden]],
    [bias, [ways, 2 * o.gates * hidden]],
    [null, []], // lengths of the sequences: all are whole
    [initial, [ways, rows, hidden]],
    [o.extra, [ways, rows, hidden]],
  ];
  expected.forEach(([value, shape], index) => {
    if (!value) return;
    expectPair(op, x, value);
    if (!sameShape(value.shape, shape)) refuse(op, index + 1, value, `[${shape}]`);
  });
  const inputs = [x, ...expected.map(([value]) => value ?? null)];
  while (inputs.at(-1) === null) inputs.pop();
  const last = { type: x.type, shape: [ways, rows, hidden] };
  const [y, state] = x.graph.emit({
    type: op,
    inputs,
    outputs: [{ type: x.type, shape: [length, ways, rows, hidden] }, ...new Array(o.states).fill(last)],
    optional: o.states,
    attributes: { hidden_size: int(hidden), direction: text(direction), ...o.attributes },
  });
  if (!y || !state) return refuse(op, 0, x, 'of two outputs');
  return { y, last: state };
}
