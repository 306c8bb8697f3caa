/**
 * What `npm run trainer -- doctor` prints: the engines of this machine, which one AUTO takes, and why not the others.
 */
import { fastest } from './engine/available.ts';
import type { Availability } from './engine/index.ts';

/** The table, for people. */
export function diagnosis(available: readonly Availability[]): string {
  const chosen = fastest(available);
  const width = Math.max(...available.map(({ name }) => name.length));
  const lines = available.map((one) => {
    const { name, absent, device, passedOver } = one;
    const state = absent === null ? `usable   ${device}` : `absent   ${absent}`;
    const note = one === chosen ? '  <- AUTO takes this' : passedOver ? `  (AUTO passes it over: ${passedOver})` : '';
    return `  ${name.padEnd(width)}  ${state}${note}`;
  });
  return [`Engines on this machine (${process.platform} ${process.arch}, Node ${process.version}):`, ...lines, ''].join(
    '\n',
  );
}
