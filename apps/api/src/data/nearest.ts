/** "Did you mean": the names closest to a mistyped one. */

/** Up to three of `names` that are within a third of the name's length in edits, nearest first. */
export function nearest(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  const allowed = Math.max(2, Math.floor(name.length / 3));
  return names
    .slice(0, 10_000)
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase(), allowed) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** The end of a message about an unknown name: the nearest names, or else the first known ones. */
export function suggest(name: string, names: readonly string[]): string {
  const close = nearest(name, names);
  if (close.length > 0) return `did you mean ${close.map((n) => `"${n}"`).join(' or ')}?`;
  const first = names.slice(0, 10).map((n) => `"${n}"`);
  return `the columns are ${first.join(', ')}${names.length > 10 ? `, ... (${names.length} in all)` : ''}`;
}

// Levenshtein, row by row; gives up (returns more than `limit`) where the lengths alone are too far apart.
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
