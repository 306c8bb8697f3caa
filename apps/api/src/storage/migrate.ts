/**
 * Applies prisma/migrations as `prisma migrate deploy` does, with the same bookkeeping: either may run on a database.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

/** The advisory lock that the prisma CLI takes, so that it and we never migrate at once. */
const PRISMA_LOCK = 72707369;

const TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`;

interface Applied {
  migration_name: string;
  finished_at: Date | null;
  checksum: string;
}

/** Applies what is pending and returns the names. @throws Error when a migration failed or was changed after it ran. */
export async function migrate(url: string, folder: string): Promise<string[]> {
  const client = new pg.Client(url);
  const applied: string[] = [];
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK]);
    await client.query(TABLE);
    const { rows } = await client.query<Applied>(
      'SELECT migration_name, finished_at, checksum FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    for (const name of migrationNames(folder)) {
      const sql = readFileSync(path.join(folder, name, 'migration.sql'), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      const before = rows.find((row) => row.migration_name === name);
      if (before && !before.finished_at)
        throw new Error(`Migration ${name} failed before: see "prisma migrate resolve"`);
      if (before && before.checksum !== checksum) throw new Error(`Migration ${name} was changed after it was applied`);
      if (before) continue;
      await apply(client, { name, sql, checksum });
      applied.push(name);
    }
    return applied;
  } finally {
    await client.end();
  }
}

function migrationNames(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function apply(client: pg.Client, m: { name: string; sql: string; checksum: string }): Promise<void> {
  const id = randomUUID();
  const begun = 'INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ($1, $2, $3)';
  await client.query(begun, [id, m.checksum, m.name]);
  try {
    await client.query(m.sql); // the whole file as one simple query, so one implicit transaction
  } catch (e) {
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, String(e)]);
    throw e;
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [id]);
}
