/** What the readers hand on: records of trimmed texts or arrays, each with its place. Knows no column kinds. */

import type { Cell } from './arrays.ts';

/** Where a record stands, for messages: the line is that of its last character, 1-based, blank lines counted. */
export interface Place {
  filename: string;
  line: number;
}

/** What a reader fills: names first, then one record after the other. Throwing stops the reader. */
export interface RecordSink {
  /** Called once per file, before its records. */
  columns(names: readonly string[], place: Place): void;
  /** Trimmed cells in the order of the names last given. */
  record(cells: readonly Cell[], place: Place): void;
}

/** How a place reads in a message. */
export function at(place: Place): string {
  return `${place.filename}, line ${place.line}`;
}
