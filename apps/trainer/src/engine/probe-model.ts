/** The smallest model there is: it proves that a runtime runs, and copies a tensor out of a device. */
import { GraphBuilder } from '../ir/builder.ts';
import { encodeModel } from '../ir/encode.ts';
import * as op from '../ir/ops.ts';

/** FLOAT x [N] -> y, the same. */
export const PROBE: Uint8Array = probe();

function probe(): Uint8Array {
  const g = new GraphBuilder('probe');
  g.output('y', op.Identity(g.input('x', 'FLOAT', ['N'])));
  return encodeModel(g.model());
}
