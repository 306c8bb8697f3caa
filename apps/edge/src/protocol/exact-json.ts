/**
 * JSON whose integers keep their digits: JSON.parse reads 9007199254740993 as ...992, which no INT64 tensor may. Knows
 * no tensor.
 */
import { refuse } from '../errors.ts';

/** An integer of 16 digits or more as an element or a member; a long text may look like one, which costs time alone. */
const LONG_INTEGER = /[[,:\s]-?\d{16,}(?=[\s,\]}])/;

/** Like JSON.parse, but integers that a double cannot hold come as bigint. @throws HttpError 400 INVALID_JSON. */
export function parseExactJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // A reviver makes parsing many times slower, so only texts that need it pay.
    return LONG_INTEGER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw refuse(400, 'INVALID_JSON', `expected a body of UTF-8 JSON: ${cause}`);
  }
}

/** `context.source`: the text of a primitive value (ECMAScript: JSON.parse source text access). */
function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
