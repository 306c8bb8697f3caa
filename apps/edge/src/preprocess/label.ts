/** Which class a label of feedback names. The edge asks before it takes a label, the API when it counts. Pure. */
import { cellNumber } from './cell.ts';

/** A label as feedback carries it. */
export type LabelValue = string | number | boolean;

/** A label as text: numbers as JavaScript writes them, texts trimmed. */
export function labelText(label: LabelValue): string {
  return String(label).trim();
}

/**
 * Finds classes by label: the same text, or else a number of equal value ("1" is 1 and "1.0"), or else a boolean in any
 * case. Answers the index, -1 where no class is meant.
 */
export function classFinder(classes: readonly string[]): (label: LabelValue) => number {
  const texts = firstIndex(classes, (name) => name);
  const numbers = firstIndex(classes, (name) => cellNumber(name));
  const booleans = firstIndex(classes, (name) => (/^(?:true|false)$/i.test(name) ? name.toLowerCase() : undefined));
  return (label) => {
    const text = labelText(label);
    const number = cellNumber(text);
    const byNumber = number === undefined ? undefined : numbers.get(number);
    return texts.get(text) ?? byNumber ?? booleans.get(text.toLowerCase()) ?? -1;
  };
}

function firstIndex<K>(classes: readonly string[], key: (name: string) => K | undefined): Map<K, number> {
  const found = new Map<K, number>();
  for (const [i, name] of classes.entries()) {
    const k = key(name);
    if (k !== undefined && !found.has(k)) found.set(k, i);
  }
  return found;
}
