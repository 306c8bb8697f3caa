/**
 * The Open Inference Protocol v2 over REST (kserve/open-inference-protocol, inference_rest.md): the model name is the
 * endpoint's, versions are the numbers of its variants. Inference takes the same way as the plain form.
 */
import type { Prediction, Route, RouteVariant } from '../contract.ts';
import { EDGE_BUILD } from '../engine/index.ts';
import { refusalOf, refuse } from '../errors.ts';
import { type Instance, type PredictLimits, predict } from '../predict/index.ts';
import type { Call, Serve, Session } from '../serve.ts';
import type { DurationStat, VersionStatistics } from '../statistics.ts';
import { unknownVersion, variantsOf } from '../variant.ts';
import { batchOf, instancesOf, type NamedTensor, outputsOf } from './columns.ts';
import { type Inference, readInference } from './infer-request.ts';
import { type FinishedOutput, finishOutput, inferResponse, wantedOutputs } from './infer-response.ts';
import { signatureOf } from './signature.ts';
import { runTensors } from './tensors.ts';
import type { ModelMetadata, ModelStatistics } from './v2-schema.ts';
import { VERSION_HEADER, versionAsked, versionNumber } from './version.ts';

/** GET /v2/health/live and /v2/health/ready: models load when they are asked for, so being here is being ready. */
export const serverLive = () => Response.json({ live: true });
export const serverReady = () => Response.json({ live: true, ready: true });

/** GET /v2 */
export function serverMetadata(): Response {
  const extensions = ['binary_tensor_data', 'classification', 'statistics'];
  return Response.json({ name: 'anneal', version: EDGE_BUILD.slice(0, 12), extensions });
}

/** The model of a /v2 path. */
export interface ModelPlace {
  model: string;
  version: string | undefined;
}

/** GET /v2/models/{model}[/versions/{version}]: without a version, of the one with the largest weight. */
export async function modelMetadata(serve: Serve, request: Request, place: ModelPlace, call: Call): Promise<Response> {
  const { route, variants } = await admitted(serve, request, place, call);
  const variant = variants.reduce((heaviest, other) => (other.weight > heaviest.weight ? other : heaviest));
  const { inputs, outputs } = signatureOf(variant.manifest);
  const described = ({ name, datatype, shape }: ModelMetadata['inputs'][number]) => ({ name, datatype, shape });
  const body: ModelMetadata = {
    name: route.endpoint,
    versions: [...new Set([...route.variants, ...route.shadows].map(({ version }) => String(version)))],
    platform: 'onnx_onnxv1',
    inputs: inputs.map(({ shape, ...tensor }) => described({ ...tensor, shape: [...shape] })),
    outputs: outputs.map(({ shape, ...tensor }) => described({ ...tensor, shape: [...shape] })),
  };
  return Response.json(body);
}

/** GET /v2/models/{model}[/versions/{version}]/ready: 200 once the model is loaded, 503 when it cannot be. */
export async function modelReady(serve: Serve, request: Request, place: ModelPlace, call: Call): Promise<Response> {
  const { route, variants } = await admitted(serve, request, place, call);
  try {
    for (const variant of variants) await serve.load(variant, call);
  } catch (error) {
    const { message } = refusalOf(error, call.requestId);
    return Response.json({ name: route.endpoint, ready: false, error: message }, { status: 503 });
  }
  return Response.json({ name: route.endpoint, ready: true });
}

/** GET /v2/models/{model}[/versions/{version}]/stats: counts of this isolate. */
export async function modelStatistics(
  serve: Serve,
  request: Request,
  place: ModelPlace,
  call: Call,
): Promise<Response> {
  const { route, variants } = await admitted(serve, request, place, call);
  const versions = [...new Set(variants.map(({ version }) => version))];
  const stats = versions.map((version) =>
    statisticsOf(route.endpoint, version, serve.statisticsOf(route.endpoint, version, call)),
  );
  return Response.json({ model_stats: stats });
}

/** POST /v2/models/{model}[/versions/{version}]/infer */
export async function modelInfer(serve: Serve, request: Request, place: ModelPlace, call: Call): Promise<Response> {
  const { route, version } = await admitted(serve, request, place, call);
  const { limits } = route.settings;
  const inference = await readInference(request, limits.bodyBytes);
  const { id, parameters } = inference.request;
  const asked = {
    version,
    routeKey: parameters?.anneal_route_key,
    instances: batchOf(inference.tensors),
  };
  const served = await serve.run(route, asked, (...model) => inferBy(...model, inference, limits), call);
  const head = {
    model_name: route.endpoint,
    model_version: String(served.variant.version),
    ...(id === undefined ? {} : { id }),
    parameters: { anneal_prediction_id: served.id, anneal_revision: route.revision },
  };
  return inferResponse(head, served.answer.outputs, call);
}

function inferBy(
  session: Session,
  manifest: RouteVariant['manifest'],
  { request, tensors }: Inference,
  limits: PredictLimits,
): { predictions: Prediction[] | null; instances?: readonly Instance[]; outputs: FinishedOutput[] } {
  const wanted = wantedOutputs(request, signatureOf(manifest));
  const finish = (made: readonly NamedTensor[]) =>
    wanted.flatMap((output) => {
      const found = made.find(({ name }) => name === output.name);
      return found ? [finishOutput(output, found.tensor)] : [];
    });
  if ('kind' in manifest) return { predictions: null, outputs: finish(runTensors(session, manifest, tensors, limits)) };
  const instances = instancesOf(manifest, tensors);
  const predictions = predict(session, manifest, instances, limits);
  return { predictions, instances, outputs: finish(outputsOf(manifest, predictions)) };
}

type Variants = [RouteVariant, ...RouteVariant[]];

/**
 * The route, and the variants that the request means: those of the version that path or header name, else all that
 * share the requests. @throws HttpError 400, 401, 403 or 404.
 */
async function admitted(
  serve: Serve,
  request: Request,
  place: ModelPlace,
  call: Call,
): Promise<{ route: Route; version: number | undefined; variants: Variants }> {
  const route = await serve.admit(place.model, request.headers.get('authorization'), call);
  const version = versionOf(place, request);
  const [first, ...others] = version === undefined ? route.variants : variantsOf(route, version);
  if (first) return { route, version, variants: [first, ...others] };
  if (version !== undefined) throw unknownVersion(route, version);
  throw refuse(404, 'NOT_FOUND', `model ${route.endpoint} has no version deployed`);
}

/** @throws HttpError 404: versions are numbers; 400 when path and header contradict each other. */
function versionOf({ version: text }: ModelPlace, request: Request): number | undefined {
  const asked = versionAsked(request);
  if (text === undefined) return asked;
  const version = versionNumber(text);
  if (version === undefined) throw refuse(404, 'NOT_FOUND', `expected a version's number, got ${text.slice(0, 40)}`);
  if (asked === undefined || asked === version) return version;
  throw refuse(400, 'INVALID_VERSION', `the path names version ${version}, ${VERSION_HEADER} names ${asked}`);
}

function statisticsOf(name: string, version: number, counts: VersionStatistics): ModelStatistics {
  const computed = (of: Record<'input' | 'infer' | 'output', DurationStat>) => ({
    compute_input: of.input,
    compute_infer: of.infer,
    compute_output: of.output,
  });
  return {
    name,
    version: String(version),
    last_inference: counts.lastInference,
    inference_count: counts.inferences,
    execution_count: counts.infer.count,
    inference_stats: {
      success: counts.success,
      fail: counts.fail,
      queue: counts.queue,
      ...computed(counts),
      cache_hit: { count: 0, ns: 0 },
    },
    batch_stats: [...counts.batches]
      .sort(([a], [b]) => a - b)
      .map(([size, of]) => ({ batch_size: size, ...computed(of) })),
  };
}
