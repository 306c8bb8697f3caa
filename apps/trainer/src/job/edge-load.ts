/** An imported model in the edge's own runtime and heap: loaded, measured, or refused with the reason. */
import { MAX_HEAP_BYTES, OrtError, type OrtRuntime, type OrtSession, SESSION_BUDGET_BYTES } from '@anneal/edge/engine';
import { JobFailure } from '../failure.ts';

/** Starts the edge's runtime; without a cap it is the edge's. */
export type StartRuntime = (maxHeapBytes?: number) => Promise<OrtRuntime>;

/** A model in a heap of its own. */
export interface Loaded {
  runtime: OrtRuntime;
  session: OrtSession;
  /** Heap of the empty runtime. */
  emptyBytes: number;
}

const MIB = 2 ** 20;
/** As much as a WebAssembly heap can be made here: only to measure what a model would take. */
const MEASURING_HEAP = 2048 * MIB;
/** Where measuring failed too: sessions take this many times their file, beside the runtime itself. */
const HEAP_PER_BYTE = 2.9;
const EMPTY_HEAP = 16 * MIB;

/** Loads a model. @throws OrtError */
export async function load(start: StartRuntime, bytes: Uint8Array, maxHeapBytes?: number): Promise<Loaded> {
  const runtime = await start(maxHeapBytes);
  const emptyBytes = runtime.heapBytes;
  return { runtime, session: runtime.createSession(bytes), emptyBytes };
}

/** Refuses a file that the edge does not keep. @throws JobFailure TOO_LARGE_FOR_EDGE */
export async function expectSmall(start: StartRuntime, bytes: Uint8Array): Promise<void> {
  if (bytes.byteLength <= SESSION_BUDGET_BYTES) return;
  throw await tooLarge(start, bytes);
}

/** The refusal of a model that is too large, with what it needs. */
export async function tooLarge(start: StartRuntime, bytes: Uint8Array): Promise<JobFailure> {
  const file = `the model has ${spell(bytes.byteLength)} (the edge takes ${spell(SESSION_BUDGET_BYTES)})`;
  const need = await heapNeed(start, bytes);
  return new JobFailure(
    'TOO_LARGE_FOR_EDGE',
    `${file} and needs a heap of ${need} (the edge has ${spell(MAX_HEAP_BYTES)}). ` +
      'Quantise it to INT8, prune it, or take a smaller one',
  );
}

async function heapNeed(start: StartRuntime, bytes: Uint8Array): Promise<string> {
  try {
    const { runtime } = await load(start, bytes, MEASURING_HEAP);
    return `${spell(runtime.heapBytes)}, measured`;
  } catch {
    return `about ${spell(EMPTY_HEAP + HEAP_PER_BYTE * bytes.byteLength)}, estimated`;
  }
}

function spell(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

/** The runtime's refusal to load or run a model, as its owner can act on it. Other errors are bugs: as they are. */
export function refusalOf(error: unknown, doing: string): unknown {
  if (!(error instanceof OrtError)) return error;
  const reason = error.message.replace(/\/\S+\.(?:cc|h):\d+ /g, '').slice(0, 600);
  const missing = /Could not find an implementation for (\w+)\((\d+)\)|(\S+) is not a registered function\/op/;
  const said = missing.exec(reason);
  if (said || /No Op registered/.test(reason)) {
    const [, operator = said?.[3] ?? 'an operator', since] = said ?? [];
    const which = since ? `${operator} as opset ${since} defines it, for these types` : operator;
    return new JobFailure(
      'OPERATOR_UNSUPPORTED',
      `the edge's runtime has no ${which}: ${reason}. Export the model for another opset or without this operator`,
    );
  }
  if (/opset/i.test(reason) && /load/.test(doing)) return new JobFailure('OPSET_UNSUPPORTED', `${doing}: ${reason}`);
  return new JobFailure('MODEL_DOES_NOT_RUN', `${doing}: ${reason}. Check that the model runs in ONNX Runtime 1.30`);
}
