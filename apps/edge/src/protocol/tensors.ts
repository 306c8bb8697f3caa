/** Models of plain tensors: what comes must be what the manifest says, what the model gives goes out as it is. */
import type { TensorManifest } from '../contract.ts';
import { type Feeds, isOutOfMemory, OrtError, type Outputs } from '../engine/index.ts';
import { refuse } from '../errors.ts';
import type { ParseLimits } from '../predict/parse.ts';
import type { Session } from '../serve.ts';
import type { NamedTensor } from './columns.ts';
import { DATATYPE } from './datatype.ts';
import { byName } from './signature.ts';

/** Runs the model. @throws HttpError 400 for inputs that do not fit, 422 RUN_FAILED when the model refuses them. */
export function runTensors(
  session: Session,
  manifest: TensorManifest,
  tensors: readonly NamedTensor[],
  { textLength = Number.POSITIVE_INFINITY }: ParseLimits = {},
): NamedTensor[] {
  const outputs = run(session, feedsOf(manifest, tensors, textLength));
  return manifest.outputs.map(({ name }) => {
    const tensor = outputs[name];
    if (!tensor) throw new Error(`manifest: the model has no output "${name}"`);
    return { name, tensor };
  });
}

function feedsOf({ inputs }: TensorManifest, tensors: readonly NamedTensor[], textLength: number): Feeds {
  const feeds: [string, NamedTensor['tensor']][] = tensors.map(({ name, tensor }) => {
    const { datatype, shape } = byName('input', inputs, name);
    if (DATATYPE[tensor.type] !== datatype)
      throw invalid(name, `expected the datatype ${datatype}, got ${DATATYPE[tensor.type]}`);
    const fits =
      shape.length === tensor.dims.length && shape.every((size, d) => size === -1 || size === tensor.dims[d]);
    if (!fits) throw invalid(name, `expected the shape [${shape}], got [${tensor.dims}]`);
    // C strings end there: the model would see another text.
    if (tensor.type === 'string' && tensor.data.some((text) => text.includes('\0')))
      throw invalid(name, 'expected texts without NUL');
    const long = tensor.type === 'string' ? tensor.data.findIndex((text) => text.length > textLength) : -1;
    if (long !== -1)
      throw refuse(422, 'TEXT_TOO_LONG', `input "${name}": expected at most ${textLength} characters at [${long}]`);
    return [name, tensor];
  });
  const given = new Set(feeds.map(([name]) => name));
  const absent = inputs.find(({ name }) => !given.has(name));
  if (absent) throw refuse(400, 'MISSING_INPUT', `the input "${absent.name}" is absent`);
  return Object.fromEntries(feeds);
}

/** Sizes that only the graph can judge, such as two inputs that must agree, are the client's mistake. */
function run(session: Session, feeds: Feeds): Outputs {
  try {
    return session.run(feeds);
  } catch (error) {
    // Positive codes are ONNX Runtime's own.
    if (!(error instanceof OrtError) || error.code <= 0 || isOutOfMemory(error)) throw error;
    throw refuse(422, 'RUN_FAILED', `the model refuses these inputs: ${error.message}`);
  }
}

const invalid = (name: string, message: string) => refuse(400, 'INVALID_TENSOR', `input "${name}": ${message}`);
