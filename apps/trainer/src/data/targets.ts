/** What the network learns to say: class indexes, or values standardised on the TRAIN rows. Knows no features. */
import type { RunSpec, Table } from '../contract.ts';
import { JobFailure } from '../failure.ts';

/** value = z * scale + center */
export interface Scale {
  center: number;
  scale: number;
}

/** Targets of all rows of a table, in its order. */
export type Targets =
  | { kind: 'CLASSES'; labels: Int32Array; classes: string[] }
  | { kind: 'VALUES'; z: Float32Array; values: Float64Array; restore: Scale };

/** Targets of all rows of the table. @throws JobFailure DATA_MISMATCH when the table's target is not the RunSpec's. */
export function fitTargets(table: Table, trainRows: Uint32Array, spec: RunSpec): Targets {
  const { target } = table;
  if (target.name !== spec.target)
    throw new JobFailure('DATA_MISMATCH', `target: expected "${spec.target}", the table's is "${target.name}"`);
  if (spec.task !== 'REGRESSION') return classTargets(table, spec);
  if (!target.values)
    throw new JobFailure('DATA_MISMATCH', `target "${target.name}": REGRESSION needs numbers, the table has none`);
  const restore = fitScale(Float64Array.from(trainRows, (row) => target.values?.[row] ?? Number.NaN));
  const z = Float32Array.from(target.values, (value) => (value - restore.center) / restore.scale);
  return { kind: 'VALUES', z, values: target.values, restore };
}

function classTargets(table: Table, spec: RunSpec): Targets {
  const { codes, classes, name } = table.target;
  const expected = JSON.stringify(spec.classes);
  if (!codes || !classes || JSON.stringify(classes) !== expected) {
    const found = JSON.stringify(classes);
    throw new JobFailure('DATA_MISMATCH', `target "${name}": expected the classes ${expected}, the table has ${found}`);
  }
  return { kind: 'CLASSES', labels: codes, classes };
}

function fitScale(values: Float64Array): Scale {
  const center = values.reduce((sum, v) => sum + v / values.length, 0);
  const variance = values.reduce((sum, v) => sum + (v - center) ** 2 / values.length, 0);
  const constant = values.every((v) => v === values[0]);
  return { center, scale: !constant && variance > 0 && Number.isFinite(variance) ? Math.sqrt(variance) : 1 };
}
