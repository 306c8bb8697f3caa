/**
 * Every place of the edge: path, method, who may come, what it reads and answers. The handler serves from this table
 * and the OpenAPI document is printed from it, so neither knows a path that the other does not.
 */
import type { z } from 'zod';
import type { AdminDoor } from './admin.ts';
import { ErrorBody, FeedbackRequest, FeedbackResponse, PredictRequest, PredictResponse } from './contract.ts';
import type { SessionCache } from './engine/index.ts';
import { Health, health } from './health.ts';
import type { FeedbackDoor } from './protocol/feedback.ts';
import { InvocationsRequest, InvocationsResponse, invocations, ping } from './protocol/mlflow.ts';
import { openApi } from './protocol/openapi.ts';
import { predictPlain } from './protocol/plain.ts';
import * as v2 from './protocol/v2.ts';
import * as schema from './protocol/v2-schema.ts';
import type { Recorder } from './recorder.ts';
import type { Call, Serve } from './serve.ts';
import type { Shadows } from './shadow.ts';
import type { Sketches } from './sketch.ts';

export interface PlaceParts {
  serve: Serve;
  feedback: FeedbackDoor;
  admin: AdminDoor;
  sessions: SessionCache;
  recorder: Pick<Recorder, 'state' | 'settle'>;
  shadows: Pick<Shadows, 'state'>;
  sketches: Pick<Sketches, 'state'>;
}

export interface Place {
  methods: string[];
  /** With {names}; several paths are one place with and without an optional part. */
  paths: string[];
  /** KEY: an API key of the endpoint's project. PUBLIC ones tell nothing of any project. SIGNED ones are the API's. */
  access: 'KEY' | 'PUBLIC' | 'SIGNED';
  /** What the OpenAPI document says; SIGNED places are not in it. */
  summary?: string;
  request?: z.ZodType;
  /** Null = a body that is no JSON. */
  response?: z.ZodType | null;
  error?: z.ZodType;
  /** A header of the request may name the version that answers. */
  versioned?: boolean;
  /** Requests and responses may carry binary tensors. */
  binary?: boolean;
  answer(parts: PlaceParts, request: Request, names: Names, call: Call): Promise<Response> | Response;
}
type Names = Readonly<Record<string, string | undefined>>;

const MODEL = '/v2/models/{model}';
const modelPaths = (end: string) => [`${MODEL}${end}`, `${MODEL}/versions/{version}${end}`];
const modelOf = ({ model = '', version }: Names): v2.ModelPlace => ({ model, version });
const READ = ['GET', 'HEAD'];

const PLAIN: Place[] = [
  {
    methods: ['POST'],
    paths: ['/v1/endpoints/{endpoint}/predict'],
    access: 'KEY',
    summary: 'Predict rows by column name',
    request: PredictRequest,
    response: PredictResponse,
    error: ErrorBody,
    versioned: true,
    answer: ({ serve }, request, { endpoint = '' }, call) => predictPlain(serve, request, endpoint, call),
  },
  {
    methods: ['POST'],
    paths: ['/v1/endpoints/{endpoint}/feedback'],
    access: 'KEY',
    summary: 'Say what was true of predictions',
    request: FeedbackRequest,
    response: FeedbackResponse,
    error: ErrorBody,
    answer: ({ feedback }, request, { endpoint = '' }, call) => feedback(request, endpoint, call),
  },
  {
    methods: ['POST'],
    paths: ['/v1/endpoints/{endpoint}/invocations'],
    access: 'KEY',
    summary: 'Predict in the form of MLflow’s scoring server',
    request: InvocationsRequest,
    response: InvocationsResponse,
    error: ErrorBody,
    versioned: true,
    answer: ({ serve }, request, { endpoint = '' }, call) => invocations(serve, request, endpoint, call),
  },
  {
    methods: READ,
    paths: ['/v1/endpoints/{endpoint}/ping'],
    access: 'KEY',
    summary: 'Whether the endpoint can serve, in the form of MLflow’s scoring server',
    response: null,
    error: ErrorBody,
    answer: ({ serve }, request, { endpoint = '' }, call) => ping(serve, request, endpoint, call),
  },
];

const V2: Place[] = [
  {
    methods: READ,
    paths: ['/v2'],
    access: 'PUBLIC',
    summary: 'Server metadata',
    response: schema.ServerMetadata,
    answer: () => v2.serverMetadata(),
  },
  {
    methods: READ,
    paths: ['/v2/health/live'],
    access: 'PUBLIC',
    summary: 'Server live',
    response: schema.ServerLive,
    answer: () => v2.serverLive(),
  },
  {
    methods: READ,
    paths: ['/v2/health/ready'],
    access: 'PUBLIC',
    summary: 'Server ready',
    response: schema.ServerReady,
    answer: () => v2.serverReady(),
  },
  {
    methods: READ,
    paths: modelPaths(''),
    access: 'KEY',
    summary: 'Model metadata',
    response: schema.ModelMetadata,
    error: schema.V2Error,
    answer: ({ serve }, request, names, call) => v2.modelMetadata(serve, request, modelOf(names), call),
  },
  {
    methods: READ,
    paths: modelPaths('/ready'),
    access: 'KEY',
    summary: 'Model ready',
    response: schema.ModelReady,
    error: schema.V2Error,
    answer: ({ serve }, request, names, call) => v2.modelReady(serve, request, modelOf(names), call),
  },
  {
    methods: READ,
    paths: modelPaths('/stats'),
    access: 'KEY',
    summary: 'Statistics of the isolate that answers',
    response: schema.StatisticsResponse,
    error: schema.V2Error,
    answer: ({ serve }, request, names, call) => v2.modelStatistics(serve, request, modelOf(names), call),
  },
  {
    methods: ['POST'],
    paths: modelPaths('/infer'),
    access: 'KEY',
    summary: 'Inference',
    request: schema.InferRequest,
    response: schema.InferResponse,
    error: schema.V2Error,
    versioned: true,
    binary: true,
    answer: ({ serve }, request, names, call) => v2.modelInfer(serve, request, modelOf(names), call),
  },
];

const OWN: Place[] = [
  {
    methods: READ,
    paths: ['/healthz'],
    access: 'PUBLIC',
    summary: 'That the edge is up, its build and its heap',
    response: Health,
    answer({ sessions, recorder, shadows, sketches }, _request, _names, { pin }) {
      recorder.settle(pin); // what was answered is counted
      return health(sessions, recorder, shadows, sketches);
    },
  },
  {
    methods: READ,
    paths: ['/openapi.json'],
    access: 'PUBLIC',
    summary: 'This document',
    response: null,
    answer: () => Response.json(openApi(PLACES)),
  },
  {
    methods: ['PUT', 'GET', 'HEAD'],
    paths: ['/admin/artifacts/{digest}'],
    access: 'SIGNED',
    answer: ({ admin }, request, { digest = '' }) => admin.artifact(request, digest),
  },
  {
    methods: ['PUT'],
    paths: ['/admin/routes/{endpoint}'],
    access: 'SIGNED',
    answer: ({ admin }, request, { endpoint = '' }, call) => admin.route(request, endpoint, call.pin),
  },
];

/** All of them; no two match the same path. */
export const PLACES: readonly Place[] = [...PLAIN, ...V2, ...OWN];

const patterns = PLACES.flatMap((place) => place.paths.map((path) => ({ place, path, pattern: patternOf(path) })));

interface FoundPlace {
  place: Place;
  path: string;
  names: Names;
}

/** Clients ask the same few paths again and again. Short ones only, and not too many: clients choose them. */
const found = new Map<string, FoundPlace>();
const MAX_FOUND = 1_000;
const MAX_FOUND_LENGTH = 200;

/** The place of a path: the form of the path that it has, and what its {names} are. */
export function placeOf(pathname: string): FoundPlace | undefined {
  const known = found.get(pathname);
  if (known) return known;
  const place = findPlace(pathname);
  if (place && pathname.length <= MAX_FOUND_LENGTH) {
    if (found.size >= MAX_FOUND) found.clear();
    found.set(pathname, place);
  }
  return place;
}

function findPlace(pathname: string): FoundPlace | undefined {
  for (const { place, path, pattern } of patterns) {
    const match = pattern.exec(pathname);
    if (match) return { place, path, names: { ...match.groups } };
  }
  return undefined;
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}/?$`);
}
