/** GET /healthz: that the edge is up, which code it is, and how its heap does. Needs no key, so it names no model. */
import { EDGE_BUILD, type SessionCache, WASM_DIGEST } from './engine/index.ts';

/** `resets` above 0 deserves a look: each was a trap inside the runtime. */
export function health(sessions: SessionCache): Response {
  const { sessions: warm, ...state } = sessions.state();
  return Response.json({ ok: true, build: EDGE_BUILD, wasm: WASM_DIGEST, sessions: warm.length, ...state });
}
