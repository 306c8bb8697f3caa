/** Which engines work on this machine, asked in a process of its own. */
import { fork } from 'node:child_process';
import type { Availability } from './index.ts';
import { ENGINE_NAMES } from './index.ts';

const PROBE = new URL('./probe.ts', import.meta.url);
/** Loading CUDA takes seconds; a driver that takes longer than this hangs. */
const TIMEOUT_MS = 60_000;

/** All engines in AUTO's order, usable or not, and why not. */
export async function availableEngines(): Promise<Availability[]> {
  const all: Availability[] = [];
  while (all.length < ENGINE_NAMES.length) {
    const left = ENGINE_NAMES.slice(all.length);
    const { heard, ending } = await probe(left);
    all.push(...heard);
    const [crashed] = left.slice(heard.length);
    if (crashed) all.push({ name: crashed, absent: `trying it ${ending}`, device: null, passedOver: null });
  }
  return all;
}

/** What AUTO takes among them, and null where nothing works. */
export function fastest(available: readonly Availability[]): Availability | null {
  return available.find(({ absent, passedOver }) => absent === null && passedOver === null) ?? null;
}

function probe(names: readonly string[]): Promise<{ heard: Availability[]; ending: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ heard: Availability[]; ending: string }>();
  const heard: Availability[] = [];
  // Vulkan's loader and drivers write to both outputs as they like.
  const child = fork(PROBE, [...names], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], timeout: TIMEOUT_MS });
  child.on('message', (message) => heard.push(message as Availability)); // our own probe.ts speaks there
  child.once('error', reject);
  child.once('close', (code, signal) => {
    const ending = signal ? `ended its process by ${signal}` : `ended its process with code ${code}`;
    resolve({ heard, ending });
  });
  return promise;
}
