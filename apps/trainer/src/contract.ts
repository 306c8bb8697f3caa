/** What the trainer reads: the run specification and the canonical table. The API writes both. */

export * from './contract/import-spec.ts';
export * from './contract/run-spec.ts';
export * from './contract/table.ts';
