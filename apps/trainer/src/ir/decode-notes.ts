/** doc_string and metadata_props, which every kind of message of an ONNX file may have. */
import { ENTRY } from './fields.ts';
import type { Reader } from './protobuf-reader.ts';

/** Notes while they are read. */
export interface Noted {
  doc?: string | undefined;
  metadata?: Map<string, string>;
}

/** Takes the field if it is one of these two of its message; false if it is another, which the caller must take. */
export function readNote(r: Reader, field: number, at: { doc: number; metadata: number }, into: Noted): boolean {
  // Empty is the same as absent in protobuf, and so it is here.
  if (field === at.doc) into.doc = r.string('doc_string') || undefined;
  else if (field === at.metadata) {
    into.metadata ??= new Map();
    readEntry(r.message('metadata_props'), into.metadata);
  } else return false;
  return true;
}

/** Reads one key and its value. */
export function readEntry(r: Reader, into: Map<string, string>): void {
  let key = '';
  let value = '';
  for (let field = r.field(); field; field = r.field()) {
    if (field === ENTRY.key) key = r.string('key');
    else if (field === ENTRY.value) value = r.string('value');
    else r.skip();
  }
  if (into.has(key)) r.fail(`the key "${key}" occurs twice`);
  into.set(key, value);
}
