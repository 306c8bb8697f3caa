import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestTable, digestWords, findDigest } from './constant-time.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('finds a digest wherever it is, and no other', () => {
  const hexes = Array.from({ length: 50 }, (_, i) => sha256(`key ${i}`));
  const table = digestTable(hexes);
  for (const [i, hex] of hexes.entries()) expect(findDigest(table, digestWords(hex))).toBe(i);
  for (let i = 0; i < 64; i++) {
    const one = hexes[7] ?? '';
    const other = one.slice(0, i) + (one[i] === '8' ? '9' : '8') + one.slice(i + 1); // differs in the top bit, too
    expect(findDigest(table, digestWords(other))).toBe(-1);
  }
  expect(findDigest(digestTable([]), digestWords(sha256('x')))).toBe(-1);
  expect(findDigest(digestTable(['0'.repeat(64)]), digestWords('0'.repeat(64)))).toBe(0);
});
