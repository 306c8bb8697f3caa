/**
 * The space of a search: parameters named by their paths in createExperiment's own input, and how trials are drawn from
 * it. What may be named is read from the input's schema, so a new hyperparameter is searchable by itself. Pure.
 */
import { z } from 'zod';
import { suggest } from '../data/nearest.ts';
import { UserError } from '../errors.ts';
import type { Random } from '../random.ts';
import { SpecInput } from './run-spec.ts';

/** One searched parameter: listed values, or a range. */
export const SearchParameter = z
  .object({
    name: z.string().min(1).max(200),
    values: z.array(z.json()).min(1).max(1000).nullish(),
    min: z.number().nullish(),
    max: z.number().nullish(),
    scale: z.enum(['LINEAR', 'LOG']).nullish(),
    integer: z.boolean().nullish(),
  })
  .superRefine(({ values, min, max, scale, integer }, check) => {
    const refuse = (field: string, message: string) => check.addIssue({ code: 'custom', path: [field], message });
    if (values && [min, max, scale, integer].some((given) => given != null))
      return refuse('values', 'Give values, or a range of min and max; not both.');
    if (values) return;
    if (min == null || max == null) return refuse('values', 'Give values, or a range: both min and max.');
    if (!(min < max)) return refuse('max', `max must be above min; got ${min} to ${max}.`);
    if (scale === 'LOG' && min <= 0) return refuse('min', `A LOG scale needs min above 0; got ${min}.`);
    if (integer && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
      refuse('integer', `An integer range needs whole ends; got ${min} to ${max}.`);
  });
export type SearchParameter = z.output<typeof SearchParameter>;

/** What a trial sets: value by path. */
export type Params = Record<string, z.output<z.ZodJSONSchema>>;

/** They are the question, or say where it is answered: the trials of one search have them in common. */
const FIXED = ['task', 'target', 'objective', 'positiveClass', 'engine', 'threads'];

/** The schemas below one: fields of an object, or of all alternatives of a union; elements of a list under `*`. */
function below(schema: z.core.$ZodType): Map<string, z.core.$ZodType> {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return below(schema.unwrap());
  if (schema instanceof z.ZodPipe) return below(schema.in);
  if (schema instanceof z.ZodObject) return new Map(Object.entries<z.core.$ZodType>(schema.shape));
  if (schema instanceof z.ZodUnion) return new Map(schema.options.flatMap((option) => [...below(option)]));
  return schema instanceof z.ZodArray ? new Map([['*', schema.element]]) : new Map();
}

function pathsBelow(schema: z.core.$ZodType, prefix: string): string[] {
  return [...below(schema)].flatMap(([key, child]) => [`${prefix}${key}`, ...pathsBelow(child, `${prefix}${key}.`)]);
}

/** Every path that a search may name, e.g. hyperparameters.learningRate; of list elements only the pattern `*`. */
export const SEARCHABLE: readonly string[] = pathsBelow(SpecInput, '').filter(
  (path) => !FIXED.includes(path.split('.')[0] ?? ''),
);

/** Paths are known, and none lies within another. @throws UserError UNKNOWN_PARAMETER, INVALID_INPUT */
export function checkPaths(parameters: readonly SearchParameter[]): void {
  const known = new Set(SEARCHABLE);
  for (const [i, { name }] of parameters.entries()) {
    const field = ['search', 'parameters', String(i), 'name'];
    if (!known.has(name.replaceAll(/\.\d+(?=\.|$)/g, '.*')))
      throw new UserError('UNKNOWN_PARAMETER', `A search cannot set "${name}": ${suggestion(name)}`, field);
    const other = parameters.find((o, j) => j !== i && (o.name === name || o.name.startsWith(`${name}.`)));
    if (other)
      throw new UserError('INVALID_INPUT', `"${name}" and "${other.name}" set the same: search one of them.`, field);
  }
}

function suggestion(name: string): string {
  const root = name.split('.')[0] ?? '';
  if (FIXED.includes(root)) return `all trials of a search have ${root} in common.`;
  return suggest(name, SEARCHABLE).replace('the columns are', 'it can set');
}

/** A copy of the input with the parameters set. Whether the result is valid, the input's schema says. */
export function withParams(input: object, params: Params): Record<string, unknown> {
  const copy: Record<string, unknown> = structuredClone({ ...input });
  for (const [path, value] of Object.entries(params)) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at: Record<string, unknown> = copy;
    for (const key of keys) {
      const next = at[key];
      at = at[key] = isRecord(next) ? next : {};
    }
    at[last] = value;
  }
  return copy;
}

/** Lists too: their elements are set by index. */
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** All combinations, the last parameter changing fastest. @throws UserError when they are too many, or a range. */
export function gridOf(parameters: readonly SearchParameter[], most: number): Params[] {
  const lists = parameters.map(({ name, values }, i) => {
    if (values) return { name, values };
    throw new UserError('INVALID_INPUT', `A grid needs values; "${name}" is a range. List values, or use RANDOM.`, [
      ...['search', 'parameters', String(i), 'values'],
    ]);
  });
  const size = lists.reduce((product, { values }) => product * values.length, 1);
  if (size > most)
    throw new UserError(
      'SEARCH_TOO_LARGE',
      `The grid has ${size.toLocaleString('en')} combinations, at most ${most} are allowed: list fewer values, ` +
        'or draw some of them (RANDOM).',
      ['search', 'parameters'],
    );
  return lists.reduce<Params[]>(
    (rows, { name, values }) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  );
}

/** One independent draw of every parameter. */
export function drawParams(parameters: readonly SearchParameter[], random: Random): Params {
  return Object.fromEntries(parameters.map((parameter) => [parameter.name, draw(parameter, random)]));
}

function draw({ values, min, max, scale, integer }: SearchParameter, random: Random): Params[string] {
  if (values) return values[random.below(values.length)] ?? null;
  const [low, high] = [min ?? 0, max ?? 0];
  const end = integer ? high + 1 : high; // of an integer range both ends can be drawn
  const share = random.uniform();
  const drawn = scale === 'LOG' ? low * (end / low) ** share : low + share * (end - low);
  return Math.min(high, Math.max(low, integer ? Math.floor(drawn) : drawn));
}
