#!/usr/bin/env node
// npm run migration -- <name>: writes the SQL that leads from the migrations to schema.prisma. Needs no database.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

const name = process.argv[2];
if (!/^[a-z0-9_]+$/.test(name ?? '')) {
  console.error('usage: npm run migration -- name_in_snake_case');
  process.exit(1);
}
const prisma = ['node_modules/prisma/build/index.js', 'migrate', 'diff', '--script'];
const ends = ['--from-migrations', 'prisma/migrations', '--to-schema', 'prisma/schema.prisma'];
const sql = execFileSync(process.execPath, [...prisma, ...ends], { encoding: 'utf8' });
const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
const folder = `prisma/migrations/${time}_${name}`;
mkdirSync(folder);
writeFileSync(`${folder}/migration.sql`, sql);
console.log(`${folder}/migration.sql`);
