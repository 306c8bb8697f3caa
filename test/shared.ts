/**
 * The one place that knows where the shared data sets and models are; tests that need them skip where they are absent.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';

const SHARED = path.resolve(import.meta.dirname, '../../shared');

/** Path of a file of the shared data, or undefined where it is absent. */
export function sharedPath(name: string): string | undefined {
  const file = path.join(SHARED, name);
  return existsSync(file) ? file : undefined;
}
