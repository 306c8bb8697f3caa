/**
 * POST /v1/endpoints/{endpoint}/feedback: what was true of predictions, {"id", "label"} or {"feedback": [these]}. All
 * of a request is taken or none. It is in the durable outbox before the answer: labels are dear.
 */
import type { Feedback } from '@anneal/api/contract';
import { readJson } from '../body.ts';
import {
  FeedbackItem,
  FeedbackList,
  type FeedbackResponse,
  type Route,
  type RouteVariant,
  type Scope,
} from '../contract.ts';
import { uuidv7 } from '../digest.ts';
import { HttpError, refuse, unavailable } from '../errors.ts';
import { parsePredictionId, versionTag } from '../prediction-id.ts';
import { cellNumber, classFinder, labelText } from '../preprocess/index.ts';
import type { Recorder } from '../recorder.ts';
import type { Call, Serve } from '../serve.ts';
import { invalidRequest } from './issue.ts';

/** Answers the door. */
export type FeedbackDoor = (request: Request, endpoint: string, call: Call) => Promise<Response>;

export interface FeedbackParts {
  serve: Pick<Serve, 'admit'>;
  recorder: Pick<Recorder, 'record'>;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Who only reads must not move the metrics. */
const TELLING_SCOPES: readonly Scope[] = ['write', 'edge', 'admin', 'feedback'];

/** The door of an isolate. */
export function createFeedback({ serve, recorder, now }: FeedbackParts): FeedbackDoor {
  const time = risingTime(now);
  return async (request, endpoint, call) => {
    const route = await serve.admit(endpoint, request.headers.get('authorization'), call, TELLING_SCOPES);
    const items = readItems(await readJson(request, route.settings.limits.bodyBytes));
    const read = labelReader(route);
    const labels = items.map(({ item, at }) => read(item, at));
    const id = uuidv7(now());
    const event: Feedback = { formatVersion: 1, kind: 'FEEDBACK', id, endpoint: route.endpoint, time: time(), labels };
    await recorder.record(event, 'DURABLE', call.pin)?.catch(() => {
      throw new HttpError(unavailable('EVENTS_UNAVAILABLE', 'the feedback could not be stored now; send it again'));
    });
    return Response.json({ accepted: labels.length } satisfies FeedbackResponse);
  };
}

/** The items with what their fields are called: "" or "feedback[3].". */
function readItems(body: unknown): { item: FeedbackItem; at: string }[] {
  const many = typeof body === 'object' && body !== null && 'feedback' in body;
  const parsed = many ? FeedbackList.safeParse(body) : FeedbackItem.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error, 'a feedback request');
  if (!('feedback' in parsed.data)) return [{ item: parsed.data, at: '' }];
  return parsed.data.feedback.map((item, i) => ({ item, at: `feedback[${i}].` }));
}

/**
 * Reads items for a route. While the version that answered is in the route, its classes are known and a label that is
 * none of them is refused; later the API finds out when it counts.
 */
function labelReader(route: Route): (item: FeedbackItem, at: string) => Feedback['labels'][number] {
  const readers = new Map<string, (label: FeedbackItem['label'], field: string) => string>();
  for (const variant of [...route.variants, ...route.shadows])
    readers.set(versionTag(variant.modelVersionId), readerOf(variant));
  return ({ id, label }, at) => {
    const prediction = parsePredictionId(id);
    if (!prediction) throw refuse(422, 'INVALID_PREDICTION_ID', 'expected the id of a prediction', `${at}id`);
    const read = readers.get(prediction.version) ?? anyText;
    return { eventId: prediction.eventId, index: prediction.index, label: read(label, `${at}label`) };
  };
}

function readerOf({ manifest, model, version }: RouteVariant): (label: FeedbackItem['label'], field: string) => string {
  const named = `version ${version} of ${model}`;
  if (!('classes' in manifest))
    return (_, field) => {
      throw refuse(422, 'NO_LABELS', `${named} answers tensors, which no label can be compared with`, field);
    };
  const { classes } = manifest;
  if (!classes)
    return (label, field) => {
      const number = typeof label === 'number' ? label : cellNumber(labelText(label));
      if (number !== undefined) return String(number);
      throw refuse(422, 'UNKNOWN_LABEL', `${named} predicts numbers: expected one, got ${quoted(label)}`, field);
    };
  const find = classFinder(classes);
  return (label, field) => {
    const known = classes[find(label)];
    if (known !== undefined) return known;
    const some = `${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', ...' : ''}`;
    throw refuse(422, 'UNKNOWN_LABEL', `${named}: expected one of ${some}; got ${quoted(label)}`, field);
  };
}

/** PostgreSQL cannot hold NUL and halves of surrogate pairs. */
function anyText(label: FeedbackItem['label'], field: string): string {
  const text = labelText(label);
  if (text !== '' && text.isWellFormed() && !text.includes('\0')) return text;
  throw refuse(422, 'UNKNOWN_LABEL', `expected a label, got ${quoted(label)}`, field);
}

const quoted = (label: FeedbackItem['label']) => JSON.stringify(label).slice(0, 80);

/**
 * ISO 8601 with microseconds, rising with every call: of two labels that come within a millisecond the later one wins.
 */
function risingTime(now: () => number): () => string {
  let last = 0;
  return () => {
    last = Math.max(last + 1, now() * 1000);
    const milliseconds = new Date(Math.floor(last / 1000)).toISOString();
    return milliseconds.replace('Z', `${String(last % 1000).padStart(3, '0')}Z`);
  };
}
