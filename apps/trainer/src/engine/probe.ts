/** A process that tries engines and tells its parent of each: a driver that crashes costs only this process. */
import type { EngineName } from './engine.ts';
import { ENGINE_NAMES, tryEngines } from './index.ts';

const names = process.argv.slice(2);
const wanted = ENGINE_NAMES.filter((name: EngineName) => names.includes(name));
await tryEngines(wanted, (availability) => process.send?.(availability));
process.disconnect?.();
