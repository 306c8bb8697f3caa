/** Rules of operations on corresponding elements. */
import { DATA_TYPES, type DataType, type Dim, dataTypeOf } from '../types.ts';
import type { Call, Rule, Rules } from './call.ts';
import { broadcastShapes, type Dims, type Fact, numbers, sizeOf, spell, tensor } from './fact.ts';

/** Type and shape of input 0; its values too if `compute` is given. */
const same =
  (compute?: (value: number) => number): Rule =>
  (c) =>
    tensor(c.type(0), c.shape(0), compute ? (numbers(c.values(0))?.map(compute) ?? null) : null);

const SAME =
  'Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli BitwiseNot Celu Clip Cos Cosh CumProd CumSum Elu Erf Exp Gelu ' +
  'HardSigmoid HardSwish Hardmax LRN LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish PRelu ' +
  'RandomNormalLike RandomUniformLike Reciprocal Relu ReverseSequence Round ScatterElements Scatter ScatterND Selu ' +
  'Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh TensorScatter ThresholdedRelu Trilu';

/** The element type by broadcast inputs: `result` null keeps that of the inputs from `first` on. */
function broadcasting(result: DataType | null, compute?: (a: number, b: number) => number, mixed = false): Rule {
  return (c) => {
    const type = mixed ? c.type(0) : c.sameType();
    return tensor(result ?? type, jointShape(c), compute ? elements(c, compute) : null);
  };
}

/** Before opset 7, broadcasting was an attribute and went from the second operand to the first only. */
function jointShape(c: Call): Dims | null {
  if (c.opset < 7 && c.flag('broadcast')) return c.shape(0);
  const joint = broadcastShapes(c.inputs.map((_, index) => c.shape(index)));
  return joint === undefined ? c.fail(`the shapes ${spellAll(c)} do not broadcast`) : joint;
}

function spellAll(c: Call): string {
  return c.inputs.map((input, index) => `"${c.node.inputs[index]}" ${spell(input?.type ?? null)}`).join(', ');
}

/** Values of a list combined with a list of the same length or a single value. */
function elements(c: Call, compute: (a: number, b: number) => number): Dims | null {
  const [a, b] = [c.values(0), c.values(1)];
  if (!a || !b || c.inputs.length > 2) return null;
  const length = Math.max(a.length, b.length);
  if ((a.length !== length && a.length !== 1) || (b.length !== length && b.length !== 1)) return null;
  const size = sizeOf(jointShape(c) ?? [null]);
  if (size !== length) return null; // [2,1] with [1,2], for example
  return Array.from({ length }, (_, index) => {
    const left = a[a.length === 1 ? 0 : index];
    const right = b[b.length === 1 ? 0 : index];
    return typeof left === 'number' && typeof right === 'number' ? compute(left, right) : null;
  });
}

/** Integer division goes towards zero; numbers here are integers wherever they become lengths. */
function divide(c: Call): Fact {
  const integer = c.type(0) === 'INT64' || c.type(0) === 'INT32';
  const quotient = (a: number, b: number) => (integer ? Math.trunc(a / b) : a / b);
  const type = c.sameType([0, 1]);
  const values = numbers(c.values(1))?.includes(0) ? null : elements(c, quotient);
  return tensor(type, jointShape(c), values);
}

/** The element type that an attribute names. */
export function typeAttribute(c: Call, name: string): DataType | null {
  const number = c.attribute(name, 'INT')?.value;
  if (number === undefined) return null;
  return dataTypeOf(Number(number)) ?? c.fail(`attribute "${name}" is ${number}, which is no element type`);
}

/** Opset 5 and older spelled the type. */
function cast(c: Call): Fact {
  const spelled = c.opset < 6 ? c.text('to') : '';
  const type = spelled in DATA_TYPES ? (spelled as DataType) : c.opset < 6 ? null : typeAttribute(c, 'to');
  const from = c.values(0);
  const integer = type === 'INT64' || type === 'INT32';
  const kept = type === 'FLOAT' || type === 'DOUBLE' || integer;
  const one = (value: Dim) => (typeof value === 'number' && integer ? Math.trunc(value) : value);
  return tensor(type, c.shape(0), kept && from ? from.map(one) : null);
}

function where(c: Call): Fact {
  if (c.type(0) && c.type(0) !== 'BOOL') c.refuse(0, 'BOOL');
  const [condition, a, b] = [numbers(c.values(0)), c.values(1), c.values(2)];
  const pick = (list: Dims, index: number) => list[list.length === 1 ? 0 : index] ?? null;
  const length = condition?.length ?? 0;
  const fits = [a, b].every((list) => list && (list.length === length || list.length === 1));
  const values = condition && a && b && fits ? condition.map((is, index) => pick(is ? a : b, index)) : null;
  return tensor(c.sameType([1, 2]), jointShape(c), values);
}

function dropout(c: Call): readonly Fact[] {
  const mask = c.opset < 10 ? c.type(0) : 'BOOL';
  return [tensor(c.type(0), c.shape(0)), tensor(mask, c.shape(0))];
}

const names = (list: string, rule: Rule): Rules => Object.fromEntries(list.split(' ').map((name) => [name, rule]));

/** The rules of this file. */
export const ELEMENTWISE: Rules = {
  ...names(SAME, same()),
  ...names('IsInf IsNaN', (c) => tensor('BOOL', c.shape(0))),
  ...names('And GreaterOrEqual LessOrEqual Or Xor', broadcasting('BOOL')),
  ...names('BitwiseAnd BitwiseOr BitwiseXor BitShift Mean Sum', broadcasting(null)),
  Neg: same((x) => -x),
  Floor: same(Math.floor),
  Ceil: same(Math.ceil),
  Not: (c) => tensor('BOOL', c.shape(0), numbers(c.values(0))?.map((x) => (x ? 0 : 1)) ?? null),
  Identity: (c) => c.inputs[0] ?? [],
  Add: broadcasting(null, (a, b) => a + b),
  Sub: broadcasting(null, (a, b) => a - b),
  Mul: broadcasting(null, (a, b) => a * b),
  Div: divide,
  Mod: broadcasting(null),
  Pow: broadcasting(null, undefined, true),
  Max: broadcasting(null, Math.max),
  Min: broadcasting(null, Math.min),
  Equal: broadcasting('BOOL', (a, b) => (a === b ? 1 : 0)),
  Greater: broadcasting('BOOL', (a, b) => (a > b ? 1 : 0)),
  Less: broadcasting('BOOL', (a, b) => (a < b ? 1 : 0)),
  Where: where,
  Cast: cast,
  CastLike: (c) => tensor(c.type(1), c.shape(0), null),
  BitCast: (c) => tensor(typeAttribute(c, 'to'), c.shape(0)),
  Dropout: dropout,
};
