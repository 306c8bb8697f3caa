/** The Worker: the only file that sees env and ctx. Composes the edge once per isolate. */

import { DurableObject } from 'cloudflare:workers';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { createAdminDoor } from './admin.ts';
import { fetchArtifact } from './artifact.ts';
import { createRuntime, createSessionCache } from './engine/index.ts';
import type { DurableObjectState, Env, ExecutionContext } from './env.ts';
import { createHandler, type Handler } from './handler.ts';
import { log } from './log.ts';
import { createOutbox, type Outbox as OutboxLogic } from './outbox.ts';
import { createFeedback } from './protocol/feedback.ts';
import { createRecorder } from './recorder.ts';
import { createRouteSource } from './route.ts';
import { createServe } from './serve.ts';

/** One object is one thread; events are spread by chance. */
const OUTBOX_SHARDS = 4;
const SEND_TIMEOUT_MS = 10_000;

function compose(env: Env): Handler {
  const bucket = env.ARTIFACTS;
  const now = Date.now;
  // The runtime starts with the first model, not with the module: the outbox's isolates need none.
  const sessions = createSessionCache({
    createRuntime: () => createRuntime(wasm),
    fetchModel: (digest) => fetchArtifact(bucket, digest),
  });
  const routes = createRouteSource({ bucket, now, log });
  const recorder = createRecorder({
    append: (bodies) => env.OUTBOX.getByName(`events-${Math.floor(Math.random() * OUTBOX_SHARDS)}`).append(bodies),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now,
    log,
  });
  const serve = createServe({ routes, sessions, recorder, now, random: Math.random, log });
  const feedback = createFeedback({ serve, recorder, now });
  const admin = createAdminDoor({ bucket, routes, sessions, secret: env.ADMIN_SECRET, now });
  return createHandler({ serve, feedback, admin, sessions, recorder, log });
}

let handler: Handler | undefined;

export default {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    handler ??= compose(env);
    return handler(request, (work) => ctx.waitUntil(work));
  },
};

/** The Durable Object that carries prediction events to the API. */
export class Outbox extends DurableObject<Env> {
  readonly #outbox: OutboxLogic;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#outbox = createOutbox({ storage: ctx.storage, send: (body) => post(env, body), now: Date.now, log });
  }

  append(bodies: string[]): Promise<void> {
    return this.#outbox.append(bodies);
  }

  alarm(): Promise<void> {
    return this.#outbox.deliver();
  }
}

async function post(env: Env, body: string): Promise<number> {
  const response = await fetch(new URL('/internal/prediction-events', env.API_URL), {
    method: 'POST',
    headers: { authorization: `Bearer ${env.EDGE_KEY}`, 'content-type': 'application/json' },
    body,
    redirect: 'manual', // the key goes nowhere else
    signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.status;
}
