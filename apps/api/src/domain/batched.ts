/** Look-ups of one GraphQL request that belong together: one statement for all that are asked for in the same tick. */

/**
 * A function that gathers keys by what else is asked (compared as JSON) and reads them together: `read` answers in the
 * order of the keys, of which none comes twice.
 */
export function batched<Key extends string, Query, Answer>(
  read: (keys: Key[], query: Query) => Promise<Answer[]>,
): (key: Key, query: Query) => Promise<Answer> {
  const waiting = new Map<string, { keys: Set<Key>; answers: Promise<Map<Key, Answer>> }>();
  return async (key, query) => {
    const same = JSON.stringify(query);
    let batch = waiting.get(same);
    if (!batch) {
      const keys = new Set<Key>();
      // Two turns of the event loop: the fields of a page are resolved in one, nested promises need the second.
      const answers = new Promise((resolve) => setImmediate(() => setImmediate(resolve))).then(async () => {
        waiting.delete(same);
        const asked = [...keys];
        const found = await read(asked, query);
        return new Map(found.map((answer, i) => [asked[i] ?? key, answer]));
      });
      batch = { keys, answers };
      waiting.set(same, batch);
    }
    batch.keys.add(key);
    const answers = await batch.answers;
    const answer = answers.get(key);
    if (answer === undefined) throw new Error(`${key} was not loaded`);
    return answer;
  };
}
