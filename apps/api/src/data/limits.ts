/** How large a data set may be. Beyond these the canonical table would not fit one buffer or one machine's memory. */

export interface Limits {
  rows: number;
  columns: number;
  /** Characters of one cell. */
  cell: number;
  /** Rows x columns: 8 bytes each keep the canonical table below 2 GiB, what its 32-bit alignment can address. */
  cells: number;
  /** Bytes of one CSV record or JSON line: what an unclosed quote may swallow before it is called one. */
  record: number;
}

/** The limits that hold unless a caller (a test) asks for smaller ones. */
export const LIMITS: Limits = {
  rows: 5_000_000,
  columns: 10_000,
  cell: 1_000_000,
  cells: 200_000_000,
  record: 32 * 1024 * 1024,
};
