#!/usr/bin/env node
// Prisma's schema engine without the downloaded binary: the same Rust engine as WebAssembly (@prisma/schema-engine-wasm, pinned to
// the engine hash of our prisma version) behind the JSON-RPC-over-stdio protocol the prisma CLI speaks. See prisma.config.ts.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';
const { values: o, positionals } = parseArgs({ strict: false, allowPositionals: true, options: { version: { type: 'boolean' }, datamodels: { type: 'string', short: 'd', multiple: true }, datasource: { type: 'string' }, 'extension-types': { type: 'string' }, 'enabled-preview-features': { type: 'string' } } });
if (o.version) { console.log('schema-engine-cli wasm'); process.exit(0); }
const url = o.datasource && JSON.parse(o.datasource).url;
const log = (message, error_code) => process.stderr.write(`\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields: { message, error_code, is_panic: false } })}\n`);
if (positionals[0] === 'cli') { // can-connect-to-database | create-database
  const target = new URL(url), name = decodeURIComponent(target.pathname.slice(1));
  if (positionals[1] === 'create-database') target.pathname = '/postgres';
  const c = new pg.Client(target.toString());
  try { await c.connect(); if (positionals[1] === 'create-database') await c.query(`CREATE DATABASE ${c.escapeIdentifier(name)}`); await c.end(); process.exit(0); }
  catch (e) { log(e.message || e.code, e.code === '3D000' ? 'P1003' : 'P1001'); process.exit(1); }
}
async function live() { // two gaps of adapter-pg as a migration driver: it splits scripts at ';' (breaks $$ bodies), and it cannot read the catalogue's "char" type
  const a = await new PrismaPg(url).connect(), pool = a.underlyingDriver(), perform = a.performIO.bind(a), query = a.queryRaw.bind(a);
  let chars = [];
  a.executeScript = async (sql) => { await pool.query(sql); };
  a.performIO = async (q) => { const r = await perform(q); chars = r.fields.map((f) => f.dataTypeID === 18); r.fields.forEach((f) => { if (f.dataTypeID === 18) f.dataTypeID = 1042; }); return r; };
  a.queryRaw = async (q) => { const r = await query(q); r.columnTypes = r.columnTypes.map((t, i) => (chars[i] ? ColumnTypeEnum.Character : t)); return r; };
  return a;
}
async function scratch() { // the shadow database is an in-memory PGlite, so that a diff between files needs no server
  const [{ PGlite }, { PrismaPGlite }] = await Promise.all([import('@electric-sql/pglite'), import('pglite-prisma-adapter')]);
  const db = await PGlite.create(), a = await new PrismaPGlite(db).connect();
  return Object.assign(a, { executeScript: async (sql) => { await db.exec(sql); }, dispose: () => db.close() });
}
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (m) => log(m) };
const engines = {};
async function engine({ method, params }) {
  const offline = method === 'diff' && ![params.from.tag, params.to.tag].some((t) => t === 'url' || t === 'schemaDatasource');
  return (engines[offline] ??= (async () => {
    const bg = await import('@prisma/schema-engine-wasm/schema_engine_bg');
    const wasm = readFileSync(new URL('./schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg')));
    const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bg });
    bg.__wbg_set_wasm(instance.exports); instance.exports.__wbindgen_start();
    const datamodels = o.datamodels?.map((p) => [p, readFileSync(p, 'utf8')]); // undefined when there are none: [] makes the engine panic
    return bg.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory({ provider: 'postgres', adapterName: 'pg', connect: offline ? scratch : live, connectToShadowDb: scratch }));
  })());
}
const send = (m) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...m }, (_, v) => (v instanceof Map ? Object.fromEntries(v) : v))}\n`);
let queue = Promise.resolve(), prints = 1e6;
createInterface({ input: process.stdin }).on('line', (line) => {
  const m = line.trim() && JSON.parse(line);
  if (!m?.method) return; // the answer to our `print`
  queue = queue.then(async () => {
    try {
      const e = await engine(m), name = m.method === 'getDatabaseVersion' ? 'version' : m.method;
      if (!e[name]) throw new Error(`${m.method}: not in the WebAssembly engine`);
      let result = (await e[name](m.params)) ?? {};
      if (name === 'diff') { send({ id: prints++, method: 'print', params: { content: result.stdout ?? '' } }); result = { exitCode: result.exitCode, stdout: null }; }
      send({ id: m.id, result });
    } catch (e) { send({ id: m.id, error: { code: 4466, message: 'An error happened.', data: { is_panic: false, message: String(e?.message ?? e), ...(e?.code ? { error_code: e.code, meta: e.meta ?? null } : {}) } } }); }
  });
}).on('close', () => queue.then(() => process.exit(0)));
