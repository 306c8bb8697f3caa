/** One training step as a graph: forward, loss, gradients, clipping, update, average. */
import type { Loss, LossSettings } from '../contract/run-spec.ts';
import { GraphBuilder, type Value } from '../ir/builder.ts';
import { GraphError } from '../ir/errors.ts';
import * as op from '../ir/ops.ts';
import { averaged } from '../optim/average.ts';
import { clipped } from '../optim/clip.ts';
import type { Slot, Update } from '../optim/optimizer.ts';
import { type Network, parameterSize, rowShape, rowType } from '../zoo/network.ts';
import { flatten, unflatten } from '../zoo/unflatten.ts';
import { gradientOf } from './gradients.ts';
import { labelType, totalLoss } from './losses.ts';
import type { Target } from './rule.ts';

/** A step with every choice made. */
export interface StepOptions {
  readonly network: Network;
  readonly loss: Loss;
  readonly lossSettings: LossSettings;
  readonly update: Update;
  readonly slots: readonly Slot[];
  readonly batchSize: number;
  readonly seed: number;
  readonly length: number | undefined;
  readonly clipNorm: number | undefined;
  readonly accumulate: number;
  readonly ema: number | undefined;
  readonly target: Target;
}

/** The values that a step goes on from. */
export interface States {
  readonly params: Value;
  readonly slots: Readonly<Partial<Record<Slot, Value>>>;
  readonly buffers: Value | null;
  readonly step: Value;
}

/** What a step reads: the states, then its batch, all with `lead` in front of the shape. */
export function stepInputs(g: GraphBuilder, o: StepOptions, where: { scope: string; lead: readonly string[] }) {
  const { network, batchSize } = o;
  const { scope, lead } = where;
  const vector = (name: string) => g.input(`${scope}${name}`, 'FLOAT', [network.parameterCount]);
  const states: States = {
    params: vector('params'),
    slots: Object.fromEntries(o.slots.map((name) => [name, vector(name)])),
    buffers: network.bufferCount > 0 ? g.input(`${scope}buffers`, 'FLOAT', [network.bufferCount]) : null,
    step: g.input(`${scope}step`, 'INT32', [1]),
  };
  const rows = [...lead, batchSize];
  const batch = {
    x: g.input(`${scope}x`, rowType(network.input), [...rows, ...rowShape(network.input, o.length)]),
    labels: g.input(`${scope}y`, labelType(o.loss), rows),
    weight: g.input(`${scope}weight`, 'FLOAT', rows),
    learningRate: g.input(`${scope}learningRate`, 'FLOAT', lead),
  };
  return { states, batch };
}

/** The states in the order of a program's inputs and outputs. */
export function stateList({ params, slots, buffers, step }: States): Value[] {
  return [params, ...Object.values(slots), ...(buffers ? [buffers] : []), step];
}

/** (params, slots, buffers, step; x, y, weight, learningRate) -> (params', slots', buffers', step'; losses). */
export function stepGraph(o: StepOptions, scope: string): { graph: GraphBuilder; gradient: Value } {
  const g = new GraphBuilder('step', scope);
  const { states, batch } = stepInputs(g, o, { scope, lead: [] });
  const { params, slots } = states;
  const seed = seedOf(states.step, o.seed);
  const { gradient, loss, buffers } = sayingOf(o)(o, states, { ...batch, seed });
  const step = op.Add(states.step, 1);
  const next = g.scope('update', () => {
    const short = o.clipNorm === undefined ? gradient : clipped(gradient, o.clipNorm);
    const decayed = o.update.weightDecay > 0 ? decayMask(g, o.network) : null;
    const exempt = decayed && o.target === 'CPU' ? exemptPlaces(g, o.network) : null;
    const { learningRate } = batch;
    const updated = o.update.apply({ params, gradient: short, slots, step, learningRate, decayed, exempt });
    if (o.ema === undefined || !slots.ema) return updated;
    const ema = averaged(slots.ema, updated.params, { decay: o.ema, step });
    return { params: updated.params, slots: { ...updated.slots, ema } };
  });

  g.output(`${scope}params'`, next.params);
  for (const name of o.slots) {
    const slot = next.slots[name];
    if (!slot) throw new GraphError(`training: the slot ${name} is declared but not updated`);
    g.output(`${scope}${name}'`, slot);
  }
  if (buffers) g.output(`${scope}buffers'`, buffers);
  g.output(`${scope}step'`, step);
  g.output(`${scope}losses`, loss);
  return { graph: g, gradient };
}

/** Rows of one step. */
interface Rows {
  readonly x: Value;
  readonly labels: Value;
  readonly weight: Value;
  /** INT32 scalar. */
  readonly seed: Value;
}

/** What a step's rows say. */
interface Said {
  /** [P], of the mean loss. */
  readonly gradient: Value;
  readonly loss: Value;
  /** Flat, after the step; null where the network has none. */
  readonly buffers: Value | null;
}

/** Network and loss over some rows. */
function forwardLoss(o: StepOptions, states: Pick<States, 'params' | 'buffers'>, { x, labels, weight, seed }: Rows) {
  const { network, target } = o;
  const gpu = target === 'WEBGPU';
  const buffers = states.buffers ? unflatten(states.buffers, network.buffers, { gpu }) : [];
  const parameters = unflatten(states.params, network.parameters, { gpu });
  const forward = network.forward(x, parameters, buffers, { kind: 'TRAINING', seed, weight });
  const total = totalLoss(o.loss, { logits: forward.logits, labels, weight }, { settings: o.lossSettings, target });
  return { ...total, buffers: states.buffers ? flatten(forward.buffers, network.buffers) : null };
}

/** How a step's rows are computed: GPUs have no loops inside a graph. */
function sayingOf({ accumulate, target }: StepOptions) {
  if (accumulate === 1) return atOnce;
  return target === 'CPU' ? inParts : partByPart;
}

function atOnce(o: StepOptions, states: States, rows: Rows): Said {
  const { sum, count, buffers } = forwardLoss(o, states, rows);
  const loss = op.Div(sum, count);
  return { gradient: gradientOf(loss, states.params, { target: o.target }), loss, buffers };
}

/**
 * The rows in parts, one after the other in a loop, so that only one part's activations exist at a time. Sums of losses
 * and gradients are added and divided once: the result is that of all rows at once (but for batch statistics).
 */
function inParts(o: StepOptions, states: States, rows: Rows): Said {
  const { network, accumulate, batchSize } = o;
  const { graph } = rows.x;
  const size = batchSize / accumulate;
  const cut = (value: Value) => op.Reshape(value, [accumulate, size, ...value.shape.slice(1)]);
  const number = graph.constant('FLOAT', [], [0]);
  const zeros = op.Expand(number, [network.parameterCount]);
  // Parameters do not change from part to part, but only a state or a sequence may enter the body.
  const carried = [states.params, zeros, number, number, rows.seed, ...(states.buffers ? [states.buffers] : [])];
  const body = partGraph(o, carried, [size, ...rows.x.shape.slice(1)]);
  const sequences = [cut(rows.x), cut(rows.labels), cut(rows.weight)];
  const [, total, sum, count, , buffers = null] = op.Scan(graph, { body, states: carried, sequences });
  if (!total || !sum || !count) throw new GraphError('training: a part gave no gradient');
  return { gradient: op.Div(total, count), loss: op.Div(sum, count), buffers };
}

/** The same without a loop: every part is written out. */
function partByPart(o: StepOptions, states: States, rows: Rows): Said {
  const { params } = states;
  const size = o.batchSize / o.accumulate;
  const parts = Array.from({ length: o.accumulate }, (_, part) => part * size);
  let buffers = states.buffers;
  const said = parts.map((start, part) => {
    const places = params.graph.constant(
      'INT32',
      [size],
      Int32Array.from({ length: size }, (_, row) => start + row),
    );
    const cut = (value: Value) => op.Gather(value, places, 0); // a Slice of integers is not on WebGPU
    const [x, labels, weight] = [cut(rows.x), cut(rows.labels), cut(rows.weight)];
    const seed = part === 0 ? rows.seed : op.Add(rows.seed, Math.imul(part, BETWEEN_PARTS));
    const { sum, count, buffers: next } = forwardLoss(o, { params, buffers }, { x, labels, weight, seed });
    // A part of padding alone has no statistics.
    if (buffers && next) buffers = op.Where(op.Greater(op.ReduceSum(weight), 0), next, buffers);
    return { gradient: gradientOf(sum, params, { target: o.target }), sum, count };
  });
  const total = (key: 'gradient' | 'sum' | 'count') => said.map((one) => one[key]).reduce((a, b) => op.Add(a, b));
  const count = total('count');
  return { gradient: op.Div(total('gradient'), count), loss: op.Div(total('sum'), count), buffers };
}

/** What a step's seed moves by from part to part: far from the factor between steps. */
const BETWEEN_PARTS = 0x632be5ab;

/** (params, gradient, sum, count, seed, buffers; x, y, weight) -> the same states after one part. */
function partGraph(o: StepOptions, carried: readonly Value[], xShape: readonly (number | string)[]): GraphBuilder {
  const g = new GraphBuilder('part', 'part/');
  const names = ['params', 'gradient', 'sum', 'count', 'seed', 'buffers'];
  const inputs = carried.map((value, index) => g.input(`part/${names[index]}`, value.type, value.shape));
  const [params, gradient, sum, count, seed, buffers = null] = inputs;
  if (!params || !gradient || !sum || !count || !seed) throw new GraphError('training: a part lacks its states');
  const [size = 1] = xShape;
  const x = g.input('part/x', rowType(o.network.input), xShape);
  const labels = g.input('part/y', labelType(o.loss), [size]);
  const weight = g.input('part/weight', 'FLOAT', [size]);
  const said = forwardLoss(o, { params, buffers }, { x, labels, weight, seed });
  g.output("part/params'", params);
  g.output("part/gradient'", op.Add(gradient, gradientOf(said.sum, params, { target: o.target })));
  g.output("part/sum'", op.Add(sum, said.sum));
  g.output("part/count'", op.Add(count, said.count));
  g.output("part/seed'", op.Add(seed, BETWEEN_PARTS));
  // A part of padding alone has no statistics.
  if (buffers && said.buffers)
    g.output("part/buffers'", op.Where(op.Greater(op.ReduceSum(weight), 0), said.buffers, buffers));
  return g;
}

/** Another INT32 each step: Weyl's sequence, whose odd factor (2^32 over the golden ratio) visits every number once. */
function seedOf(step: Value, seed: number): Value {
  return op.Add(op.Mul(op.Squeeze(step, [0]), 0x9e3779b1 | 0), seed | 0);
}

/** Per number a scatter costs more than a pass over a mask: only where it touches few (an estimate, not measured). */
const MAX_EXEMPT_SHARE = 0.1;

/** Where weight decay does not apply, along the flat vector; null where these are many. */
function exemptPlaces(g: GraphBuilder, network: Network): Value | null {
  const places: number[] = [];
  let at = 0;
  for (const parameter of network.parameters) {
    const end = at + parameterSize(parameter);
    if (!parameter.decays) for (let place = at; place < end; place++) places.push(place);
    at = end;
  }
  const few = places.length > 0 && places.length <= MAX_EXEMPT_SHARE * network.parameterCount;
  return few ? g.constant('INT64', [places.length], places) : null;
}

/** 1 where weight decay applies, 0 elsewhere, along the flat vector. */
function decayMask(g: GraphBuilder, network: Network): Value {
  const mask = new Float32Array(network.parameterCount);
  let at = 0;
  for (const parameter of network.parameters) {
    const end = at + parameterSize(parameter);
    if (parameter.decays) mask.fill(1, at, end);
    at = end;
  }
  return g.constant('FLOAT', [mask.length], mask);
}
