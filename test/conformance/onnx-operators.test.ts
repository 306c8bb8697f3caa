/**
 * The codec, the checker and shape inference against the ONNX standard's own operator tests, with ONNX Runtime as the
 * judge: what it loads must compute the same after decode -> encode, and have the types and shapes that we inferred.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkModel } from '../../apps/trainer/src/ir/check.ts';
import { decodeModel, decodeTensor } from '../../apps/trainer/src/ir/decode.ts';
import { encodeModel, encodeTensor } from '../../apps/trainer/src/ir/encode.ts';
import { OnnxError } from '../../apps/trainer/src/ir/errors.ts';
import { elementOf, shapeOf } from '../../apps/trainer/src/ir/infer/fact.ts';
import { inferTypes } from '../../apps/trainer/src/ir/infer/infer.ts';
import { numbersOf } from '../../apps/trainer/src/ir/tensor.ts';
import type { Model, Tensor } from '../../apps/trainer/src/ir/types.ts';
import { sharedPath } from '../shared.ts';
import { crossable, crosses, load } from './runtime.ts';
import { untar } from './tar.ts';

const archive = sharedPath('data/onnx_backend_tests/onnx_backend_tests_half_A.tar.gz');
const verdicts = sharedPath('data/onnx_backend_tests/status_half_A.csv');
if (!archive) console.warn("shared data absent: the standard's operator tests are skipped");

/** One test of the standard. */
interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** Inputs and outputs that are tensors, by name. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** What came out of a case. */
interface Outcome {
  readonly loaded: boolean;
  readonly before: ReadonlyMap<string, Tensor> | undefined;
  readonly after: ReadonlyMap<string, Tensor> | undefined;
}

/** Outputs differ from run to run. */
const RANDOM = new Set(['Bernoulli', 'RandomUniformLike', 'Dropout']);
/** Operations whose results have lengths that only the contents of their inputs decide, or that we have no rule for. */
const UNKNOWN_LENGTHS =
  /Compress|If|Loop|NonMaxSuppression|STFT|SequenceConstruct|Scan|StringNormalizer|StringSplit|Unique/;

let cases: readonly Case[] = [];
const outcomes = new Map<string, Outcome>();

function readCases(file: string): Case[] {
  const files = untar(readFileSync(file));
  return [...files].flatMap(([path, bytes]) => {
    if (!path.endsWith('/model.onnx')) return [];
    const folder = path.slice(0, -'/model.onnx'.length);
    const model = decodeModel(bytes);
    const tensors = (kind: string, values: Model['graph']['inputs']) =>
      new Map(
        values.flatMap(({ name, type }, index): [string, Tensor][] => {
          const data = files.get(`${folder}/test_data_set_0/${kind}_${index}.pb`);
          return data && type?.kind === 'TENSOR' ? [[name, { ...decodeTensor(data), name }]] : [];
        }),
      );
    const inputs = tensors('input', model.graph.inputs);
    const outputs = tensors('output', model.graph.outputs);
    return [{ name: folder, bytes, model, inputs, outputs }];
  });
}

async function runBoth({ bytes, model, inputs }: Case): Promise<Outcome> {
  const original = await load(bytes);
  if (!original) return { loaded: false, before: undefined, after: undefined };
  const copy = await load(encodeModel(decodeModel(bytes)));
  const outputs = model.graph.outputs.filter(crosses).map(({ name }) => name);
  const runnable = model.graph.inputs.every(crosses) && outputs.length > 0;
  const run = async (loaded: typeof copy) =>
    runnable ? loaded?.run(inputs, outputs).catch(() => undefined) : undefined;
  const outcome = { loaded: copy !== undefined, before: await run(original), after: await run(copy) };
  await original.close();
  await copy?.close();
  return outcome;
}

const isRandom = ({ model }: Case) => model.graph.nodes.some(({ type }) => RANDOM.has(type));
/** The runtime loads models of opsets that we know; two of its experimental domains it does not have. */
const tooNew = ({ model }: Case) => model.opsets.some(({ domain, version }) => domain === '' && version > 26);

describe.skipIf(!archive)("the standard's operator tests", () => {
  beforeAll(async () => {
    cases = readCases(String(archive));
    for (const one of cases) outcomes.set(one.name, await runBoth(one));
  }, 120_000);

  test('every model and tensor is read, written and read as the same', () => {
    expect(cases.length).toBe(948);
    for (const { bytes, model, inputs, outputs } of cases) {
      expect(decodeModel(encodeModel(model))).toEqual(model);
      expect(encodeModel(model)).toEqual(encodeModel(decodeModel(bytes)));
      for (const tensor of [...inputs.values(), ...outputs.values()]) {
        const again = decodeTensor(encodeTensor(tensor));
        expect({ ...again, data: null }).toEqual({ ...tensor, data: null });
        expect(sameData(again.data, tensor.data)).toBe(true);
      }
    }
  });

  test('what the runtime loads computes the same after the round trip', () => {
    const refused = [...outcomes].filter(([, { loaded, before }]) => !loaded && before).map(([name]) => name);
    expect(refused, 'loaded only before the round trip').toEqual([]);
    const different = cases.flatMap((one) => {
      const { before, after } = outcomes.get(one.name) ?? {};
      const shapes = (results = before) => [...(results ?? [])].map(([name, { type, dims }]) => [name, type, dims]);
      const same = isRandom(one) ? sameJson(shapes(before), shapes(after)) : sameResults(before, after);
      return same ? [] : [one.name];
    });
    expect(different).toEqual([]);
    expect([...outcomes.values()].filter(({ before }) => before).length).toBeGreaterThanOrEqual(760);
  });

  test('whatever passes in the runtime elsewhere ran here, or has values that do not cross', () => {
    const passing = readFileSync(String(verdicts), 'utf8')
      .split('\n')
      .filter((line) => line.includes(',pass,'))
      .map((line) => line.split(',', 2).join('/'));
    expect(passing.length).toBe(778);
    const crossing = cases.filter(
      ({ model }) => model.graph.inputs.every(crosses) && model.graph.outputs.every(crosses),
    );
    const names = new Set(crossing.map(({ name }) => name));
    expect(passing.filter((name) => names.has(name) && !outcomes.get(name)?.before)).toEqual([]);
  });

  test('the checker accepts what the runtime loads, and refuses what is too new or too old', () => {
    for (const one of cases) {
      if (outcomes.get(one.name)?.loaded) checkModel(one.model);
      if (tooNew(one)) expect(() => checkModel(one.model)).toThrow('"ai.onnx" must be in 1..26; it is 27');
    }
    const old = cases.filter(({ model }) => refusal(model)?.includes('only as from 7 on')).map(({ name }) => name);
    expect(old.length).toBe(17);
    expect(old.filter((name) => outcomes.get(name)?.loaded)).toEqual([]);
  });

  test('inferred types and shapes are those of the results', () => {
    const known = { whole: 0, part: 0 };
    const partly = new Set<string>();
    const wrong = cases.flatMap((one) => {
      const { before } = outcomes.get(one.name) ?? {};
      if (!before) return [];
      const facts = inferTypes(undeclared(one.model), one.inputs);
      const vague = inferTypes(undeclared(one.model));
      return [...before].flatMap(([name, result]) => {
        const fact = facts.get(name);
        const [fits, whole] = fact ? agreement(elementOf(fact), shapeOf(fact), result) : [true, false];
        known[whole ? 'whole' : 'part']++;
        if (!whole) partly.add(`${one.name}: ${one.model.graph.nodes.map(({ type }) => type)}`);
        const other = vague.get(name);
        const fitsToo = !other || agreement(elementOf(other), shapeOf(other), result)[0];
        return fits && fitsToo
          ? []
          : [`${one.name} ${name}: ${JSON.stringify(fact?.type)}, is ${result.type} [${result.dims}]`];
      });
    });
    expect(wrong).toEqual([]);
    expect(
      [...partly].filter((name) => !UNKNOWN_LENGTHS.test(name)),
      'partly unknown',
    ).toEqual([]);
    expect(known.whole).toBeGreaterThanOrEqual(890);
  });

  test('values of types that do not cross: through initializers and casts, as the standard expects', async () => {
    const odd = cases.filter(
      (one) => !tooNew(one) && ![...one.model.graph.inputs, ...one.model.graph.outputs].every(crosses),
    );
    let compared = 0;
    for (const { name, model, inputs, outputs } of odd) {
      const inside = crossable(model, inputs);
      const loaded = inside && (await load(encodeModel(inside)));
      if (!inside || !loaded) continue;
      const fed = new Map([...inputs].filter(([input]) => inside.graph.inputs.some((value) => value.name === input)));
      const results = await loaded.run(
        fed,
        inside.graph.outputs.map((output) => output.name),
      );
      await loaded.close();
      [...results.values()].forEach((result, index) => {
        const expected = outputs.get(model.graph.outputs[index]?.name ?? '');
        if (!expected) return;
        compared++;
        expect(close(numbersOf(result), numbersOf(expected)), name).toBe(true);
      });
    }
    expect(compared).toBeGreaterThanOrEqual(60);
  });
});

/** The model without what it says about its own results, which inference would take over. */
function undeclared(model: Model): Model {
  const outputs = model.graph.outputs.map(({ name }) => ({ name, type: null }));
  return { ...model, graph: { ...model.graph, outputs, values: [] } };
}

function refusal(model: Model): string | undefined {
  try {
    checkModel(model);
    return undefined;
  } catch (error) {
    if (error instanceof OnnxError) return error.message;
    throw error;
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sameResults(a: Outcome['before'], b: Outcome['before']): boolean {
  if (!a || !b || a.size !== b.size) return a === b;
  return [...a].every(([name, one]) => {
    const other = b.get(name);
    if (!other || one.type !== other.type || !sameJson(one.dims, other.dims)) return false;
    return sameData(one.data, other.data);
  });
}

function sameData(a: Tensor['data'], b: Tensor['data']): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : sameJson(a, b);
}

/** Whether what was inferred agrees with a result, and whether everything was known. */
function agreement(
  type: ReturnType<typeof elementOf>,
  shape: ReturnType<typeof shapeOf>,
  result: Tensor,
): [fits: boolean, whole: boolean] {
  const fits =
    (type === null || type === result.type) &&
    (shape === null ||
      (shape.length === result.dims.length &&
        shape.every((dim, axis) => typeof dim !== 'number' || dim === result.dims[axis])));
  return [fits, type !== null && (shape?.every((dim) => typeof dim === 'number') ?? false)];
}

function close(a: readonly number[], b: readonly number[]): boolean {
  return (
    a.length === b.length &&
    a.every((value, index) => {
      const other = b[index] ?? Number.NaN;
      return Object.is(value, other) || value === other || Math.abs(value - other) <= 2e-3 + 2e-3 * Math.abs(other);
    })
  );
}
