import { defineConfig } from 'prisma/config';

// The schema engine is not downloaded: tools/schema-engine.mjs answers the CLI with the same engine as WebAssembly.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= `${import.meta.dirname}/tools/schema-engine.mjs`;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://localhost/unset' },
});
