/** Opens the database: DATABASE_URL where given, else the embedded PostgreSQL; migrated before anybody reads it. */
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Logger } from '../deps.ts';
import { PrismaClient } from '../generated/prisma/client.ts';
import { migrate } from './migrate.ts';
import { embeddedPostgres } from './postgres.ts';
import { dataFolder } from './postgres-account.ts';

/** Connections per process; PostgreSQL allows 100 in all by default. */
const POOL_SIZE = 10;

export const MIGRATIONS = path.resolve(import.meta.dirname, '../../../../prisma/migrations');

export interface Database {
  url: string;
  prisma: PrismaClient;
  close(): Promise<void>;
}

/** A Prisma client over a pool of its own. */
export function connect(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE });
  return new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: true }),
    log: [{ emit: 'event', level: 'query' }], // counted by tests; without a listener it costs nothing
  });
}

/** Starts or reaches the database, applies pending migrations, connects. */
export async function openDatabase(options: { url?: string; home: string; log: Logger }): Promise<Database> {
  const { log, home } = options;
  const server = options.url ? undefined : await startEmbedded(home, log);
  const url = options.url ?? server?.url() ?? '';
  try {
    const applied = await migrate(url, MIGRATIONS);
    if (applied.length) log.info('migrations applied', { migrations: applied });
    const prisma = connect(url);
    const close = async () => {
      await prisma.$disconnect();
      await server?.stop();
    };
    return { url, prisma, close };
  } catch (e) {
    await server?.stop();
    throw e;
  }
}

async function startEmbedded(home: string, log: Logger) {
  const { folder, moved } = dataFolder(home);
  if (moved)
    log.warn(
      'PostgreSQL does not run as root, and its account cannot enter the data folder: its data lives elsewhere',
      {
        home,
        folder,
      },
    );
  const server = await embeddedPostgres(folder);
  log.info(server.started ? 'embedded PostgreSQL started' : 'embedded PostgreSQL found running', { folder });
  return server;
}
