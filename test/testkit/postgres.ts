/** Vitest's global set-up: one throw-away PostgreSQL for the whole run, and a migrated template that files copy. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { MIGRATIONS } from '../../apps/api/src/storage/database.ts';
import { migrate } from '../../apps/api/src/storage/migrate.ts';
import { embeddedPostgres } from '../../apps/api/src/storage/postgres.ts';

export const TEMPLATE = 'template_anneal';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connects to the server's maintenance database. */
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'anneal-test-postgres-'));
  const server = await embeddedPostgres(folder, { durable: false });
  const client = new pg.Client(server.url());
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE}`);
  await client.end();
  await migrate(server.url(TEMPLATE), MIGRATIONS);
  project.provide('postgresUrl', server.url());
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
