/** To which lengths sequences are padded for training: a compiled program is for one length. Pure. */

/**
 * 8, 12, 16, 24, 32, 48, ... and at last `maxLength`: steps of at most one half waste less than a third of the work,
 * and a data set of 512 tokens still needs no more than a dozen programs.
 */
export function paddedLengths(maxLength: number): number[] {
  const lengths: number[] = [];
  for (let power = 8; power < maxLength; power *= 2)
    for (const length of [power, power * 1.5]) if (length < maxLength) lengths.push(length);
  return [...lengths, maxLength];
}

/** The shortest of the padded lengths that holds a sequence. */
export function paddedLength(lengths: readonly number[], length: number): number {
  const found = lengths.find((padded) => padded >= length);
  if (found === undefined) throw new RangeError(`a sequence of ${length} tokens is longer than ${lengths.at(-1)}`);
  return found;
}
