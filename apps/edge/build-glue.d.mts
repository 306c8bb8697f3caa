/** Brings src/engine/generated up to date and returns the digests written there. */
export function buildGlue(): Promise<{ build: string; wasm: string }>;
