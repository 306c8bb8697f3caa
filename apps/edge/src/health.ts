/** GET /healthz: that the edge is up, which code it is, and how its heap does. Needs no key, so it names no model. */
import { z } from 'zod';
import { EDGE_BUILD, type SessionCache, WASM_DIGEST } from './engine/index.ts';
import type { Recorder } from './recorder.ts';

/**
 * `resets` above 0 deserves a look: each was a trap inside the runtime. `events.buffered` are those that a crash would
 * lose now, `events.lost` those that the outbox did not take.
 */
export const Health = z.strictObject({
  ok: z.boolean(),
  build: z.string(),
  wasm: z.string(),
  sessions: z.int(),
  heapBytes: z.int(),
  loads: z.int(),
  evictions: z.int(),
  resets: z.int(),
  events: z.strictObject({ buffered: z.int(), lost: z.int() }),
});

/** The state of this isolate. */
export function health(sessions: SessionCache, recorder: Pick<Recorder, 'state'>): Response {
  const { sessions: warm, ...state } = sessions.state();
  const body: z.infer<typeof Health> = {
    ok: true,
    build: EDGE_BUILD,
    wasm: WASM_DIGEST,
    sessions: warm.length,
    ...state,
    events: recorder.state(),
  };
  return Response.json(body);
}
