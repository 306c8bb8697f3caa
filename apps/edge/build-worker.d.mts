/** Where the build lies: the main module imports the wasm as ./ort.wasm. */
export const WORKER: string;
export const WORKER_WASM: string;
/** Brings dist/ up to date. @returns true when something was built. */
export function buildWorker(): Promise<boolean>;
/** A Worker whose main module is `entry`, as one text; its wasm is imported as ./ort.wasm. */
export function bundleWorker(entry: string): Promise<string>;
