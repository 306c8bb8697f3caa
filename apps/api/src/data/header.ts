/** Column names: which a header may hold, and how a further file's match the first's. */
import { DataError, type Finding } from './error.ts';
import { at, type Place } from './record.ts';

const LONGEST_NAME = 256;

/** The header's names; an empty one becomes c<position> with a finding. @throws DataError BAD_HEADER. */
export function checkHeader(given: readonly string[], place: Place, findings: Finding[]): string[] {
  const names = given.map((name, i) => (name === '' ? `c${i}` : name));
  const seen = new Set<string>();
  for (const [i, name] of names.entries()) {
    if (seen.has(name))
      throw new DataError('BAD_HEADER', `${at(place)}: two columns are called "${name}"; rename one of them`, {
        details: { name, column: i },
      });
    if (name.length > LONGEST_NAME || !name.isWellFormed() || name.includes('\u0000'))
      throw new DataError(
        'BAD_HEADER',
        `${at(place)}: the name of column ${i + 1} is longer than ${LONGEST_NAME} characters or no valid text; ` +
          'if the file has no header row, set header to false',
        { field: ['header'] },
      );
    seen.add(name);
    if (given[i] === '' && !findings.some((f) => f.code === 'HEADER_REPAIRED' && f.column === name))
      findings.push({
        code: 'HEADER_REPAIRED',
        severity: 'NOTE',
        message: `column ${i + 1} has no name in the header and is called "${name}"`,
        column: name,
        count: null,
      });
  }
  return names;
}

/** For each cell of a further file the column of the first that it belongs to. @throws DataError HEADER_DIFFERS. */
export function matchHeader(
  first: readonly string[],
  names: readonly string[],
  header: boolean,
  place: Place,
): number[] {
  const given = new Set(names);
  const position = new Map(first.map((name, i) => [name, i]));
  const missing = first.filter((name) => !given.has(name));
  const extra = names.filter((name) => !position.has(name));
  if (missing.length === 0 && extra.length === 0) return names.map((name) => position.get(name) ?? 0);
  const list = (some: string[]) =>
    some
      .slice(0, 5)
      .map((name) => JSON.stringify(name.slice(0, 40)))
      .join(', ');
  throw new DataError(
    'HEADER_DIFFERS',
    `${at(place)}: expected the ${first.length} columns of the first file, found ${names.length}` +
      `${header && missing.length > 0 ? `; missing: ${list(missing)}` : ''}` +
      `${header && extra.length > 0 ? `; not in the first: ${list(extra)}` : ''}`,
    { details: { filename: place.filename, missing, extra } },
  );
}
