/** Which rows of a table belong to which part. Knows nothing of features. */
import { PARTS, type Part, type Table } from '../contract.ts';

/** Positions in the table of the rows of one part, ascending. */
export function rowsOf(table: Table, part: Part): Uint32Array {
  const index = PARTS.indexOf(part);
  const rows = new Uint32Array(table.rowCount);
  let count = 0;
  for (let row = 0; row < table.rowCount; row++) if (table.split[row] === index) rows[count++] = row;
  return rows.slice(0, count);
}
