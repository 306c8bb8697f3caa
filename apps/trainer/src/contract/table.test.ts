/** The canonical table: what is written is read, and what cannot be is refused. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { column, table, tensorColumn, tokensColumn } from '../data/testing.ts';
import { decodeTable, encodeTable } from './table.ts';

const target = ['a', 'b', 'a'];
const parts = ['TRAIN', 'TEST', 'TRAIN'] as const;
const every = table(
  [
    column('number', [1, null, 3]),
    column('text', ['x', null, 'y']),
    tensorColumn('bytes', [1, 2], Uint8Array.of(1, 2, 3, 4, 5, 255)),
    tensorColumn('floats', [2], Float32Array.of(1, 2.5, -3, 4, 5, 6)),
    tokensColumn('tokens', [[7], [1, 2, 3], [0, 0]]),
  ],
  target,
  parts,
);

describe('encodeTable', () => {
  test('gives back every kind of column', () => {
    expect(decodeTable(encodeTable(every))).toEqual(every);
  });

  test('a table without arrays has the digest that it always had', () => {
    const plain = table([column('number', [1, null, 3]), column('text', ['x', null, 'y'])], target, parts);
    expect(createHash('sha256').update(encodeTable(plain)).digest('hex')).toBe(
      'ab8ad2c97a9e23c2a0d639845fe135f7eb8d2a4fb38250475ae646c6aaa49d0a',
    );
  });

  test('refuses bytes that are cut off, and sequences whose ends do not rise', () => {
    const bytes = encodeTable(every);
    expect(() => decodeTable(bytes.subarray(0, -24))).toThrow('does not fit 3 rows');
    expect(() => decodeTable(bytes.subarray(0, 20))).toThrow('cut off');
    const empty = { ...every, columns: [tokensColumn('tokens', [[7], [], [0]])] };
    expect(() => decodeTable(encodeTable(empty))).toThrow('the offsets of "tokens" do not rise');
  });
});
