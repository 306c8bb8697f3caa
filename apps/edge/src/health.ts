/** GET /healthz: that the edge is up, which code it is, and how its heap does. Needs no key, so it names no model. */
import { z } from 'zod';
import { EDGE_BUILD, type SessionCache, WASM_DIGEST } from './engine/index.ts';
import type { Recorder } from './recorder.ts';
import type { Shadows } from './shadow.ts';
import type { Sketches } from './sketch.ts';

/**
 * `resets` above 0 deserves a look: each was a trap inside the runtime. `events.buffered` are those that a crash would
 * lose now, `events.lost` those that the outbox did not take; `shadows.skipped` were not run for want of room.
 * `sketches.unsent` are instances whose counts for drift a crash would lose now.
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
  shadows: z.strictObject({ pending: z.int(), skipped: z.int() }),
  sketches: z.strictObject({ unsent: z.int(), skipped: z.int() }),
});

/** The state of this isolate. */
export function health(
  sessions: SessionCache,
  recorder: Pick<Recorder, 'state'>,
  shadows: Pick<Shadows, 'state'>,
  sketches: Pick<Sketches, 'state'>,
): Response {
  const { sessions: warm, ...state } = sessions.state();
  const body: z.infer<typeof Health> = {
    ok: true,
    build: EDGE_BUILD,
    wasm: WASM_DIGEST,
    sessions: warm.length,
    ...state,
    events: recorder.state(),
    shadows: shadows.state(),
    sketches: sketches.state(),
  };
  return Response.json(body);
}
