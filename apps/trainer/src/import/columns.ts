/**
 * How rows of named columns become the one input of an imported model, and its output a prediction: what is chosen, and
 * what does not fit. Pure; wrap.ts makes the graph of it.
 */
import type { ManifestColumn } from '@anneal/edge/contract';
import { IMPORT_THRESHOLD, type ImportPreprocessing, type ImportSpec, type Task } from '../contract.ts';
import { JobFailure } from '../failure.ts';
import type { Model } from '../ir/types.ts';
import { allNodes } from './nodes.ts';
import type { Found, Probed } from './probe.ts';
import { classNames } from './zip-map.ts';

/** Everything that a wrapper needs to know. */
export interface Plan {
  input: Found;
  output: Found;
  /** In the order of the input's last axis; or one column of tensors. */
  columns: ManifestColumn[];
  mean: number[] | null;
  scale: number[] | null;
  activation: ImportPreprocessing['activation'];
  task: Task;
  /** In the order of the output's numbers; null for REGRESSION. */
  classes: string[] | null;
  positiveClass: string | null;
  /** Null unless there are two classes. */
  threshold: number | null;
  target: string;
  /** What was decided without being asked for. */
  changes: string[];
}

/** Decides. @throws JobFailure COLUMNS_DIFFER, LABELS_DIFFER */
export function planColumns(
  spec: ImportSpec,
  probed: Probed,
  model: Model,
  zipped: ReadonlyMap<string, readonly string[]>,
): Plan {
  const changes: string[] = [];
  const given = spec.preprocessing;
  const input = chooseInput(probed.inputs, given?.input ?? null);
  const columns = chooseColumns(spec, input);
  if (!given) changes.push(`columns in the order of the data: ${columns.map(({ name }) => name).join(', ')}`);
  const said = zipped.size > 0 ? zipped : classifierOutputs(model);
  const labels = chooseLabels(spec, [...said.values()][0] ?? null, changes);
  const output = chooseOutput(probed.outputs, given?.output ?? null, labels?.length ?? 1);
  const scores = tailOf(output);
  const activation = given?.activation ?? guessActivation(model, { output: output.name, scores, labels }, changes);
  expectScores(scores, labels, activation, output);
  if (input.shape[0] !== -1 || output.shape[0] !== -1)
    throw differ(
      `the model takes batches of ${input.shape[0]} only (output "${output.name}" [${output.shape}]), and its rows ` +
        'depend on each other or on that size: export it with a dynamic batch axis',
    );
  const task = labels === null ? 'REGRESSION' : labels.length === 2 ? 'BINARY' : 'MULTICLASS';
  const decision = chooseDecision(spec, labels);
  const names = new Set(columns.map(({ name }) => name));
  const free = (name: string): string => (names.has(name) ? free(`${name}_`) : name);
  const target = spec.data?.target ?? free('target');
  const [mean, scale] = [given?.mean ?? null, given?.scale ?? null];
  expectFactors('mean', mean, columns);
  expectFactors('scale', scale, columns);
  return { input, output, columns, mean, scale, activation, task, classes: labels, ...decision, target, changes };
}

const differ = (problem: string) => new JobFailure('COLUMNS_DIFFER', problem);
const spell = (tensors: readonly Found[]) =>
  tensors.map(({ name, type, shape }) => `"${name}" ${type} [${shape}]`).join(', ');

function chooseInput(inputs: readonly Found[], name: string | null): Found {
  const [only, ...more] = inputs;
  if (!only || more.length > 0)
    throw differ(
      `columns become one input, but the model has ${inputs.length}: ${spell(inputs)}. ` +
        'Import it without preprocessing, and send tensors',
    );
  if (name !== null && name !== only.name) throw differ(`the model has no input "${name}"; it has ${spell(inputs)}`);
  if (only.type === 'string' || only.type === 'bool')
    throw differ(`the input ${spell([only])} takes no numbers. Import the model without preprocessing`);
  return only;
}

/** Columns of numbers, or one of tensors, as the data has them or else as the input asks for. */
function chooseColumns({ preprocessing, data }: ImportSpec, input: Found): ManifestColumn[] {
  const features = data?.features ?? [];
  const tensors = features.filter(({ kind }) => kind === 'TENSOR');
  const numeric = features.filter(({ kind }) => kind === 'NUMERIC');
  const width = tailOf(input);
  const names =
    preprocessing?.columns ??
    (numeric.length === width || tensors.length === 0 ? numeric : tensors.slice(0, 1)).map(({ name }) => name);
  if (new Set(names).size !== names.length) throw differ('a column is named twice');
  const [first = ''] = names;
  const alone = features.find(({ name }) => name === first);
  const tail = input.shape.slice(1);
  if (names.length === 1 && (data ? alone?.kind === 'TENSOR' : width !== 1)) {
    const shape = alone?.kind === 'TENSOR' ? alone.shape : tail;
    if (shape.some((size) => size < 1))
      throw differ(`the input ${spell([input])} has axes of any size: name a dataset version whose column tells them`);
    if (!sameAxes(shape, tail))
      throw differ(`the column "${first}" has the shape [${shape}], the model's input is ${spell([input])}`);
    return [{ name: first, kind: 'TENSOR', used: true, shape }];
  }
  for (const name of data ? names : []) {
    const kind = features.find((feature) => feature.name === name)?.kind ?? 'none of the features';
    if (kind !== 'NUMERIC') throw differ(`the column "${name}" is ${kind}; the model's input takes NUMERIC ones`);
  }
  if (width !== -1 && width !== names.length)
    throw differ(
      `the input ${spell([input])} takes ${width} numbers a row, and ${names.length} columns were ` +
        `${preprocessing ? 'named' : 'found'}: ${names.join(', ')}. Name them in the model's order`,
    );
  if (names.length === 0) throw differ('there is no numeric column. Name the columns that the model reads');
  const others = features.filter(({ name, kind }) => kind === 'NUMERIC' && !names.includes(name));
  return [
    ...names.map((name): ManifestColumn => ({ name, kind: 'NUMERIC', used: true })),
    ...others.map(({ name }): ManifestColumn => ({ name, kind: 'NUMERIC', used: false })),
  ];
}

/** Axes of length 1 do not count: [28,28] is [1,28,28]. An axis of any size takes every length. */
function sameAxes(shape: readonly number[], tail: readonly number[]): boolean {
  const free = shape.length === tail.length && tail.every((size, axis) => size === -1 || size === shape[axis]);
  const long = (axes: readonly number[]) => `${axes.filter((size) => size !== 1)}`;
  return free || (!tail.includes(-1) && long(shape) === long(tail));
}

/** Numbers of one row; -1 = any. */
export function tailOf({ shape }: Found): number {
  const tail = shape.slice(1);
  return tail.includes(-1) ? -1 : tail.reduce((product, size) => product * size, 1);
}

/** The names that a classifier of ai.onnx.ml gives its scores, by the output of scores. */
function classifierOutputs({ graph }: Model): ReadonlyMap<string, readonly string[]> {
  const classifiers = [...allNodes(graph)].filter(
    ({ domain, type }) => domain === 'ai.onnx.ml' && /Classifier$/.test(type),
  );
  const [only, ...more] = classifiers.map((node) => [node.outputs[1] ?? '', classNames(node)] as const);
  return only && more.length === 0 && only[1].length > 0 ? new Map([only]) : new Map();
}

/** Names of the classes in the model's order: as given, else the model's own, else the data's. */
function chooseLabels(spec: ImportSpec, own: readonly string[] | null, changes: string[]): string[] | null {
  const classes = spec.data?.classes ?? null;
  if (spec.labels) return spec.labels;
  if (spec.data && !classes) return null;
  if (!own) return classes;
  if (!classes) {
    changes.push(`labels of the model: ${own.join(', ')}`);
    return [...own];
  }
  if (`${classes.toSorted()}` === `${own.toSorted()}`) return [...own];
  const numbered = own.length === classes.length && own.every((name, index) => name === String(index));
  if (!numbered)
    throw new JobFailure(
      'LABELS_DIFFER',
      `the model's classes are ${own.join(', ')}, the data's ${classes.join(', ')}. ` +
        "Give labels: the data's classes in the model's order",
    );
  changes.push(`the model's classes ${own.join(', ')} are taken for ${classes.join(', ')}`);
  return classes;
}

/** Of two classes: which is positive, and from which probability on. */
function chooseDecision(spec: ImportSpec, labels: readonly string[] | null): Pick<Plan, 'positiveClass' | 'threshold'> {
  const { positiveClass, threshold } = spec;
  if (labels?.length !== 2) {
    if (positiveClass === null && threshold === null) return { positiveClass: null, threshold: null };
    const got = labels ? `there are ${labels.length}` : 'the model predicts numbers';
    throw new JobFailure('LABELS_DIFFER', `positiveClass and threshold are for two classes; ${got}. Leave them out`);
  }
  if (positiveClass !== null && !labels.includes(positiveClass))
    throw new JobFailure('LABELS_DIFFER', `positiveClass is "${positiveClass}"; the classes are ${labels.join(', ')}`);
  const positive = positiveClass ?? spec.data?.positiveClass ?? labels[1] ?? null;
  return { positiveClass: positive, threshold: threshold ?? IMPORT_THRESHOLD };
}

/** The named one, else the one of real numbers that has as many as there are classes. */
function chooseOutput(outputs: readonly Found[], name: string | null, scores: number): Found {
  if (name !== null) {
    const named = outputs.find((output) => output.name === name);
    if (!named) throw differ(`the model has no output "${name}"; it has ${spell(outputs)}`);
    return named;
  }
  const real = outputs.filter(({ type }) => /^float/.test(type));
  const [only] = outputs.length === 1 ? outputs : real.length === 1 ? real : [];
  const fitting = real.filter((output) => tailOf(output) === scores);
  const best = only ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (best) return best;
  throw differ(`which output is the prediction? Name one of ${spell(outputs)} in preprocessing.output`);
}

function expectScores(
  scores: number,
  labels: readonly string[] | null,
  activation: Plan['activation'],
  output: Found,
): void {
  const of = `the output ${spell([output])}`;
  if (output.type === 'string' || output.type === 'bool') throw differ(`${of} holds no numbers`);
  if (labels === null) {
    if (scores === 1) return;
    throw new JobFailure('LABELS_DIFFER', `${of} has ${scores} numbers a row, and no labels were given. Give labels`);
  }
  const binary = labels.length === 2 && scores === 1;
  if (scores !== labels.length && !binary)
    throw new JobFailure(
      'LABELS_DIFFER',
      `${of} has ${scores} numbers a row; ${labels.length} labels were given: ${labels.join(', ')}`,
    );
  if (activation === 'SIGMOID' && !binary)
    throw differ(`SIGMOID is for one logit of two classes; ${of} has ${scores} numbers a row. Use SOFTMAX or NONE`);
  if (activation === 'SOFTMAX' && scores === 1) throw differ(`SOFTMAX of one number is always 1. Use SIGMOID or NONE`);
}

/** What stands in front of an output and passes its numbers on. */
const PASSES = new Set(['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Concat']);

/** Without being told: probabilities if the graph ends with what makes them, else logits. */
function guessActivation(
  { graph }: Model,
  { output, scores, labels }: { output: string; scores: number; labels: readonly string[] | null },
  changes: string[],
): Plan['activation'] {
  if (labels === null) return 'NONE';
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  let maker = makers.get(output);
  for (let steps = 0; maker && PASSES.has(maker.type) && steps < 16; steps++) maker = makers.get(maker.inputs[0] ?? '');
  const ends = maker?.type ?? 'its input';
  if (/^(?:Softmax|Sigmoid|Normalizer|\w+Classifier)$/.test(ends)) return 'NONE';
  changes.push(`the model ends with ${ends}: its numbers are taken for logits`);
  return scores === 1 ? 'SIGMOID' : 'SOFTMAX';
}

function expectFactors(what: string, factors: readonly number[] | null, columns: readonly ManifestColumn[]): void {
  if (!factors || factors.length === 1) return;
  const used = columns.filter((column) => column.used);
  const most = used[0]?.shape?.[0] ?? used.length;
  if (factors.length !== most)
    throw differ(`preprocessing.${what} has ${factors.length} numbers: expected 1, or ${most}, one for each`);
}
