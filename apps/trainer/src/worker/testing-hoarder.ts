/** A job process that fills its heap as soon as its claim comes, for tests. */

process.once('message', () => {
  for (const kept: unknown[] = []; ; ) kept.push(new Array(1e5).fill(kept.length));
});
