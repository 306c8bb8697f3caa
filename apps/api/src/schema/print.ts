/** Prints the schema to schema.graphql, sorted; `--check` exits 1 when the file and the code differ. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './index.ts';

/** Where the printed schema lives: in the root, where clients and editors look for it. */
export const SCHEMA_FILE = path.resolve(import.meta.dirname, '../../../../schema.graphql');

/** The schema as text; equal schemas print equal. */
export function printedSchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

if (import.meta.main) {
  const printed = printedSchema();
  if (!process.argv.includes('--check')) writeFileSync(SCHEMA_FILE, printed);
  else if (readFileSync(SCHEMA_FILE, 'utf8') !== printed) {
    console.error('schema.graphql differs from the code: run `npm run schema` and commit it.');
    process.exit(1);
  }
}
