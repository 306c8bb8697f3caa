/**
 * The JSON objects of the Open Inference Protocol v2 (kserve/open-inference-protocol, inference_rest.md) and of its
 * extensions for binary data, classification and statistics. Requests are validated by these and the OpenAPI document
 * is printed from them. Fields that the protocol does not define are ignored, as its own examples carry one.
 */
import { z } from 'zod';
import { Datatype } from '../contract.ts';

const MAX_TENSORS = 10_000;

const isParameter = (value: unknown) => ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
const Parameter = z
  .custom<string | number | boolean | bigint>(isParameter, 'expected a string, a number or a boolean')
  .meta({ type: ['string', 'number', 'boolean'] });

const TensorData = z
  .custom<readonly unknown[]>(Array.isArray, 'expected an array')
  .meta({ type: 'array', description: 'Elements in row-major order, nested or as one flat list.' });
const Shape = z.array(z.int().min(0)).max(16);

/** $request_input */
export const InferInput = z
  .object({
    name: z.string(),
    shape: Shape,
    datatype: Datatype,
    parameters: z
      .object({ binary_data_size: z.int().min(0).optional() })
      .catchall(Parameter)
      .optional()
      .meta({ description: 'binary_data_size: the tensor comes as that many bytes behind the JSON, without data.' }),
    data: TensorData.optional(),
  })
  .refine(({ parameters, data }) => (parameters?.binary_data_size === undefined) !== (data === undefined), {
    message: 'expected either data or parameters.binary_data_size',
  });
export type InferInput = z.infer<typeof InferInput>;

/** $request_output */
export const InferOutput = z.object({
  name: z.string(),
  parameters: z
    .object({ binary_data: z.boolean().optional(), classification: z.int().min(1).optional() })
    .catchall(Parameter)
    .optional()
    .meta({ description: 'binary_data: as bytes behind the JSON. classification: only the n largest, as BYTES.' }),
});
export type InferOutput = z.infer<typeof InferOutput>;

/** $inference_request */
export const InferRequest = z.object({
  id: z.string().max(1_024).optional(),
  parameters: z
    .object({
      binary_data_output: z.boolean().optional(),
      anneal_route_key: z.string().min(1).max(256).optional(),
    })
    .catchall(Parameter)
    .optional()
    .meta({
      description:
        'binary_data_output: all outputs as bytes. anneal_route_key: requests of the same key stay on one version.',
    }),
  inputs: z.array(InferInput).min(1).max(MAX_TENSORS),
  outputs: z.array(InferOutput).max(MAX_TENSORS).optional(),
});
export type InferRequest = z.infer<typeof InferRequest>;

/** $inference_response */
export const InferResponse = z.strictObject({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  parameters: z.strictObject({
    anneal_prediction_id: z.string().meta({ description: 'Instance i is the prediction <anneal_prediction_id>.i' }),
    anneal_revision: z.int(),
  }),
  outputs: z.array(
    z.strictObject({
      name: z.string(),
      shape: Shape,
      datatype: Datatype,
      parameters: z.strictObject({ binary_data_size: z.int() }).optional(),
      data: TensorData.optional(),
    }),
  ),
});
export type InferResponse = z.infer<typeof InferResponse>;

/** $live_server_response and $ready_server_response */
export const ServerLive = z.strictObject({ live: z.boolean() });
export const ServerReady = z.strictObject({ live: z.boolean(), ready: z.boolean() });

/** $metadata_server_response */
export const ServerMetadata = z.strictObject({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
});

/** $ready_model_response */
export const ModelReady = z.strictObject({ name: z.string(), ready: z.boolean() });

/** $metadata_tensor */
export const TensorMetadata = z.strictObject({
  name: z.string(),
  datatype: Datatype,
  shape: z.array(z.int().min(-1)),
});

/** $metadata_model_response */
export const ModelMetadata = z.strictObject({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(TensorMetadata),
  outputs: z.array(TensorMetadata),
});
export type ModelMetadata = z.infer<typeof ModelMetadata>;

const Duration = z.strictObject({ count: z.int(), ns: z.int() });
const computed = { compute_input: Duration, compute_infer: Duration, compute_output: Duration };
/** $model_stat */
export const ModelStatistics = z.strictObject({
  name: z.string(),
  version: z.string(),
  last_inference: z.int(),
  inference_count: z.int(),
  execution_count: z.int(),
  inference_stats: z.strictObject({
    success: Duration,
    fail: Duration,
    queue: Duration,
    ...computed,
    cache_hit: Duration,
  }),
  batch_stats: z.array(z.strictObject({ batch_size: z.int(), ...computed })),
});
export type ModelStatistics = z.infer<typeof ModelStatistics>;

/** $stats_model_response */
export const StatisticsResponse = z.strictObject({ model_stats: z.array(ModelStatistics) });

/** $inference_error_response and its siblings: every error below /v2. */
export const V2Error = z.strictObject({ error: z.string() });
