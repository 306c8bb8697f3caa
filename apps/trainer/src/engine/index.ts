/**
 * The door of engine/: which engines are here, which one a run gets and why. Engines are imported only when they are
 * tried, so that an absent runtime is a sentence in a message and not a crash at start.
 */
import type { EngineChoice } from '../contract/run-spec.ts';
import { type Engine, EngineError, type EngineName, type EngineOptions } from './engine.ts';
import { hasGpu, softwareDriver } from './gpu.ts';

export * from './engine.ts';
export { Pace } from './pace.ts';

/** An engine on this machine. */
export interface Availability {
  readonly name: EngineName;
  /** Why it cannot be used; null where it can. */
  readonly absent: string | null;
  /** What it runs on; null where it is absent. */
  readonly device: string | null;
  /** Why AUTO takes a slower engine instead; null where it would take this one. */
  readonly passedOver: string | null;
}

/** How an engine is opened; it throws its reason where it cannot be. */
interface Opener {
  open(options: EngineOptions): Promise<Engine>;
  /** Before it is opened: why AUTO need not try. Whoever asks for the engine by name gets it all the same. */
  unpromising?(): string | null;
  /** After it was opened: why AUTO should go on looking. */
  slow?(engine: Engine): string | null;
}

const noGpu = () => (hasGpu() ? null : 'this machine has no GPU');

/** Fastest first: AUTO takes the first that is present and not passed over. */
const OPENERS: Readonly<Record<EngineName, Opener>> = {
  ORT_CUDA: { open: async (options) => (await import('./ort-cuda.ts')).ortCuda(options), unpromising: noGpu },
  ORT_WEBGPU: {
    open: async (options) => (await import('./ort-webgpu.ts')).ortWebgpu(options),
    unpromising: noGpu,
    slow: () => softwareDriver() && 'a software driver stands in for the GPU',
  },
  TFJS: {
    open: async () => (await import('./tfjs/engine.ts')).tfjs(),
    unpromising: noGpu,
    slow: ({ device }) => (device.startsWith('CPU') ? 'TensorFlow.js has no GPU here' : null),
  },
  ORT_CPU: { open: async (options) => (await import('./ort-cpu.ts')).ortCpu(options) },
  ORT_WASM: { open: async () => (await import('./ort-wasm.ts')).ortWasm() },
};

/** All engines, in AUTO's order of preference. */
export const ENGINE_NAMES = Object.keys(OPENERS) as readonly EngineName[];

/**
 * Tries engines, one after the other. A GPU's driver that crashes takes this process with it: see probe.ts for a
 * process that may die. `heard` is called after each.
 */
export async function tryEngines(
  names: readonly EngineName[],
  heard: (availability: Availability) => void = () => {},
): Promise<Availability[]> {
  const all: Availability[] = [];
  for (const name of names) {
    const availability = await tryEngine(name);
    all.push(availability);
    heard(availability);
  }
  return all;
}

async function tryEngine(name: EngineName): Promise<Availability> {
  const { open, unpromising, slow } = OPENERS[name];
  try {
    const engine = await open({ threads: 1 });
    const passedOver = slow?.(engine) ?? unpromising?.() ?? null;
    return { name, absent: null, device: engine.device, passedOver };
  } catch (error) {
    return { name, absent: reasonOf(error), device: null, passedOver: null };
  }
}

/**
 * Opens the engine for a choice, and says why this one. @throws EngineError where the choice is absent: never another
 * one silently
 */
export async function openEngine(
  choice: EngineChoice,
  options: EngineOptions,
  openers: Readonly<Partial<Record<EngineName, Opener>>> = OPENERS,
): Promise<{ engine: Engine; why: string }> {
  if (choice !== 'AUTO') return { engine: await openChosen(choice, options, openers[choice]), why: 'requested' };
  const passed: string[] = [];
  for (const [name, opener] of Object.entries(openers)) {
    const unpromising = opener.unpromising?.() ?? null;
    if (unpromising) {
      passed.push(`${name}: ${unpromising}`);
      continue;
    }
    try {
      const engine = await opener.open(options);
      const slow = opener.slow?.(engine) ?? null;
      if (slow === null)
        return { engine, why: `AUTO: the fastest engine here${passed.map((reason) => `; ${reason}`).join('')}` };
      passed.push(`${name}: ${slow}`);
    } catch (error) {
      passed.push(`${name}: ${reasonOf(error)}`);
    }
  }
  throw new EngineError(`AUTO: no engine is usable on this machine (${passed.join('; ')})`);
}

async function openChosen(name: EngineName, options: EngineOptions, opener?: Opener): Promise<Engine> {
  try {
    if (!opener) throw new EngineError('this build does not have it');
    return await opener.open(options);
  } catch (error) {
    const advice = '"npm run trainer -- doctor" lists the engines of this machine; choose one of them, or AUTO';
    throw new EngineError(`${name} was requested but is not usable here: ${reasonOf(error)}. ${advice}`, {
      cause: error,
    });
  }
}

/** The first line: a package that cannot be found is reported with a stack of requires. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
