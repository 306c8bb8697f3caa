/** The Worker: the only file that sees env and ctx. Composes the edge once per isolate. */

import { DurableObject } from 'cloudflare:workers';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { createAdminDoor } from './admin.ts';
import { fetchArtifact } from './artifact.ts';
import { createCors } from './cors.ts';
import { createRuntime, createSessionCache } from './engine/index.ts';
import type { DurableObjectState, Env, ExecutionContext } from './env.ts';
import { createHandler, type Handler } from './handler.ts';
import type { KeyLimits, Lease } from './lease.ts';
import { createLedger, createLimiter } from './limiter.ts';
import { log } from './log.ts';
import { createOutbox, type Outbox as OutboxLogic } from './outbox.ts';
import { createFeedback } from './protocol/feedback.ts';
import { createRecorder } from './recorder.ts';
import { createRouteSource } from './route.ts';
import { createSamples } from './samples.ts';
import { createServe } from './serve.ts';
import { createShadows } from './shadow.ts';
import { createSketches } from './sketch.ts';

/** One object is one thread; events are spread by chance. */
const OUTBOX_SHARDS = 4;
const SEND_TIMEOUT_MS = 10_000;

function compose(env: Env): Handler {
  const bucket = env.ARTIFACTS;
  const now = Date.now;
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  // The runtime starts with the first model, not with the module: the outbox's isolates need none.
  const sessions = createSessionCache({
    createRuntime: () => createRuntime(wasm),
    fetchModel: (digest) => fetchArtifact(bucket, digest),
  });
  const routes = createRouteSource({ bucket, now, log });
  const recorder = createRecorder({
    append: (bodies) => env.OUTBOX.getByName(`events-${Math.floor(Math.random() * OUTBOX_SHARDS)}`).append(bodies),
    wait,
    now,
    log,
  });
  const random = Math.random;
  const shadows = createShadows({ sessions, recorder, wait, now, random, log });
  const limiter = createLimiter({
    lease: (sha256, limits) => env.LIMITER.getByName(sha256).lease(limits),
    wait,
    now,
    log,
  });
  const sketches = createSketches({ recorder, wait, now, log });
  const observers = [sketches.observe, createSamples({ recorder, wait, random, log })];
  const serve = createServe({ routes, limiter, sessions, recorder, shadows, observers, now, random, log });
  const feedback = createFeedback({ serve, recorder, now });
  const admin = createAdminDoor({ bucket, routes, sessions, secret: env.ADMIN_SECRET, now });
  const cors = createCors({ routes });
  const logRequests = env.LOG_REQUESTS === 'ALL';
  return createHandler({ cors, serve, feedback, admin, sessions, recorder, shadows, sketches, log, logRequests });
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

/** The Durable Object that counts a key's requests. */
export class Limiter extends DurableObject<Env> {
  readonly #ledger: ReturnType<typeof createLedger>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#ledger = createLedger(ctx.storage, Date.now);
  }

  lease(limits: KeyLimits): Lease {
    return this.#ledger.lease(limits);
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
