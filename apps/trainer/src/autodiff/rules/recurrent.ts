/** Gradients of recurrent layers: the cells, written out step by step, are differentiated (back-propagation). */
import type { Operation, Value } from '../../ir/builder.ts';
import * as op from '../../ir/ops.ts';
import { intOf, lengthsOf, type Rule, textOf } from '../rule.ts';

/** i, o, f = sigmoid, c~ = tanh; C = f C + i c~; H = o tanh(C) */
export const LSTM: Rule = layer(4, ({ input, H, C, R, bias }) => {
  const gates = op.Add(op.Add(input, op.Gemm(H, R, { transB: true })), bias);
  const [i, o, f, c] = quarters(gates, 4);
  if (!i || !o || !f || !c) return { H, C };
  const cell = op.Add(op.Mul(op.Sigmoid(f), C), op.Mul(op.Sigmoid(i), op.Tanh(c)));
  return { H: op.Mul(op.Sigmoid(o), op.Tanh(cell)), C: cell };
});

/** z, r = sigmoid; h = tanh(Wx + r (RH + b)) or tanh(Wx + R(rH) + b); H = (1 - z) h + z H */
export const GRU: Rule = layer(3, ({ node, input, H, C, R, bias }) => {
  const [xz, xr, xh] = quarters(input, 3);
  const [Rz, Rr, Rh] = op.Split(R, new Array(3).fill((lengthsOf(R)[0] ?? 3) / 3), 0);
  const [bz, br, bh] = op.Split(bias, new Array(3).fill((lengthsOf(bias)[0] ?? 3) / 3), 0);
  if (!xz || !xr || !xh || !Rz || !Rr || !Rh || !bz || !br || !bh) return { H, C };
  const z = op.Sigmoid(op.Add(xz, op.Gemm(H, Rz, { c: bz, transB: true })));
  const r = op.Sigmoid(op.Add(xr, op.Gemm(H, Rr, { c: br, transB: true })));
  const inner =
    intOf(node, 'linear_before_reset') === 1
      ? op.Mul(r, op.Gemm(H, Rh, { c: bh, transB: true }))
      : op.Gemm(op.Mul(r, H), Rh, { c: bh, transB: true });
  const h = op.Tanh(op.Add(xh, inner));
  return { H: op.Add(op.Mul(op.Sub(1, z), h), op.Mul(z, H)), C };
});

/** One step: what the input contributes [N, g H], the states [N,H], the recurrence [g H, H] and its bias [g H]. */
interface Cell {
  readonly node: Operation;
  readonly input: Value;
  readonly H: Value;
  readonly C: Value;
  readonly R: Value;
  readonly bias: Value;
}

type Step = (cell: Cell) => { readonly H: Value; readonly C: Value };

function layer(gates: number, step: Step): Rule {
  return (node, dy, { through }) => {
    const present = node.inputs.flatMap((value) => value ?? []);
    const places = node.inputs.flatMap((value, index) => (value ? [index] : []));
    const found = through(present, (values) => unrolled(node, inPlaces(values, places), gates, step), dy);
    return inPlaces(found, places);
  };
}

const inPlaces = (values: readonly (Value | null)[], places: readonly number[]) =>
  Array.from({ length: 8 }, (_, place) => values[places.indexOf(place)] ?? null);

/** The layer's outputs: y [T,D,N,H], the last hidden state and the last cell [D,N,H]. */
function unrolled(node: Operation, inputs: readonly (Value | null)[], gates: number, step: Step): Value[] {
  const [x, W, R, bias, , initial, initialCell] = inputs;
  if (!x || !W || !R) return [];
  const direction = textOf(node, 'direction');
  const ways = direction === 'bidirectional' ? 2 : 1;
  const runs = Array.from({ length: ways }, (_, way) => {
    const of = (value: Value | null | undefined) => (value ? op.Squeeze(slice(value, way), [0]) : null);
    const parts = { W: of(W), R: of(R), bias: of(bias), H: of(initial), C: of(initialCell) };
    return oneWay(node, x, parts, { gates, step, backwards: direction === 'reverse' || way === 1 });
  });
  const stack = (key: 'y' | 'H' | 'C', axis: number) =>
    op.Concat(
      runs.map((run) => op.Unsqueeze(run[key], [axis])),
      axis,
    );
  return [stack('y', 1), stack('H', 0), stack('C', 0)];
}

function oneWay(
  node: Operation,
  x: Value,
  parts: Readonly<Record<'W' | 'R' | 'bias' | 'H' | 'C', Value | null>>,
  { gates, step, backwards }: { gates: number; step: Step; backwards: boolean },
): { y: Value; H: Value; C: Value } {
  const { W, R, bias } = parts;
  const [length = 1, rows = 1, width = 1] = lengthsOf(x);
  if (!W || !R) return { y: x, H: x, C: x };
  const [all = 1, hidden = 1] = lengthsOf(R);
  const zeros = op.Expand(x.graph.constant(x.type, [], [0]), [rows, hidden]);
  const none = op.Expand(x.graph.constant(x.type, [], [0]), [gates * hidden]);
  const [inputBias = none, ownBias = none] = bias ? op.Split(bias, [all, all], 0) : [];
  // All steps' inputs in one product; only the recurrence has to wait for the step before.
  const flat = op.Gemm(op.Reshape(x, [length * rows, width]), W, { c: inputBias, transB: true });
  const inputs = op.Reshape(flat, [length, rows, all]);
  let [H, C] = [parts.H ?? zeros, parts.C ?? zeros];
  const order = [...new Array(length).keys()];
  const states: Value[] = new Array(length).fill(zeros);
  for (const t of backwards ? order.reverse() : order) {
    const input = op.Squeeze(slice(inputs, t), [0]);
    ({ H, C } = step({ node, input, H, C, R, bias: ownBias }));
    states[t] = H;
  }
  const y = op.Concat(
    states.map((state) => op.Unsqueeze(state, [0])),
    0,
  );
  return { y, H, C };
}

const slice = (value: Value, at: number) => op.Slice(value, [{ axis: 0, start: at, end: at + 1 }]);

function quarters(gates: Value, count: number): readonly Value[] {
  const width = (lengthsOf(gates)[1] ?? count) / count;
  return op.Split(gates, new Array(count).fill(width), 1);
}
