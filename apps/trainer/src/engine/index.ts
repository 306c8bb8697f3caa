/**
 * The door of engine/: which engines are here, which one a run gets and why. Engines are imported only when they are
 * tried, so that an absent runtime is a sentence in a message and not a crash at start.
 */
import type { EngineChoice } from '../contract/run-spec.ts';
import { type Engine, EngineError, type EngineName } from './engine.ts';

export * from './engine.ts';
export { Pace } from './pace.ts';

/** What opening an engine needs; `threads` is part of the RunSpec because it can change the bytes. */
export interface EngineOptions {
  readonly threads: number;
}

/** An engine and, where it cannot be used on this machine, the reason. */
export interface Availability {
  readonly name: EngineName;
  readonly absent: string | null;
}

const OPENERS: Record<EngineName, () => Promise<(options: EngineOptions) => Engine>> = {
  ORT_CPU: async () => (await import('./ort-cpu.ts')).ortCpu,
};

/** Fastest first: AUTO takes the first that is present. */
const PREFERENCE: readonly EngineName[] = ['ORT_CPU'];

/** Tries every engine of this build, in order of preference. */
export async function availableEngines(): Promise<Availability[]> {
  return Promise.all(
    PREFERENCE.map(async (name) => {
      try {
        await OPENERS[name]();
        return { name, absent: null };
      } catch (error) {
        return { name, absent: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** The engine for a choice, and why. @throws EngineError where the choice is absent: never another one silently. */
export function chooseEngine(
  choice: EngineChoice,
  available: readonly Availability[],
): { engine: EngineName; why: string } {
  const present = available.filter(({ absent }) => absent === null);
  const state = available.map(({ name, absent }) => `${name}: ${absent ?? 'present'}`).join('; ');
  if (choice === 'AUTO') {
    const [fastest] = present;
    if (!fastest) throw new EngineError(`AUTO: no engine is usable on this machine (${state})`);
    return { engine: fastest.name, why: `AUTO: the fastest engine present (${state})` };
  }
  if (!present.some(({ name }) => name === choice))
    throw new EngineError(`${choice} was requested but is not usable here (${state}); install it, or choose AUTO`);
  return { engine: choice, why: `${choice}: requested` };
}

/** Opens the engine for a choice. */
export async function openEngine(
  choice: EngineChoice,
  options: EngineOptions,
): Promise<{ engine: Engine; why: string }> {
  const { engine, why } = chooseEngine(choice, await availableEngines());
  const open = await OPENERS[engine]();
  return { engine: open(options), why };
}
