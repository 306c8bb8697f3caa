#!/usr/bin/env node
// Prisma's schema engine without the downloaded binary: the same Rust engine as WebAssembly
// (@prisma/schema-engine-wasm, pinned to the engine hash of our prisma version) behind the JSON-RPC over stdio that the
// prisma CLI speaks. See prisma.config.ts.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';

const { values: options, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: {
    version: { type: 'boolean' },
    datamodels: { type: 'string', short: 'd', multiple: true },
    datasource: { type: 'string' },
    'extension-types': { type: 'string' },
    'enabled-preview-features': { type: 'string' },
  },
});
const url = options.datasource && JSON.parse(options.datasource).url;

/** Errors in the form that the CLI reads from stderr. */
function log(message, errorCode) {
  const fields = { message, error_code: errorCode, is_panic: false };
  process.stderr.write(`\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields })}\n`);
}

/** `cli can-connect-to-database` and `cli create-database`: answered by exit code. */
async function cli(command) {
  const target = new URL(url);
  const name = decodeURIComponent(target.pathname.slice(1));
  if (command === 'create-database') target.pathname = '/postgres';
  const client = new pg.Client(target.toString());
  try {
    await client.connect();
    if (command === 'create-database') await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    await client.end();
    process.exit(0);
  } catch (e) {
    log(e.message || e.code, e.code === '3D000' ? 'P1003' : 'P1001');
    process.exit(1);
  }
}

/** The real database. Mends two gaps of adapter-pg as a migration driver. */
async function live() {
  const adapter = await new PrismaPg(url).connect();
  const pool = adapter.underlyingDriver();
  const perform = adapter.performIO.bind(adapter);
  const query = adapter.queryRaw.bind(adapter);
  const CHAR = 18; // the catalogue's "char" type, which adapter-pg cannot read
  const BPCHAR = 1042;
  let chars = [];
  // adapter-pg splits scripts at ';', which breaks $$ bodies
  adapter.executeScript = async (sql) => {
    await pool.query(sql);
  };
  adapter.performIO = async (q) => {
    const result = await perform(q);
    chars = result.fields.map((f) => f.dataTypeID === CHAR);
    for (const f of result.fields) if (f.dataTypeID === CHAR) f.dataTypeID = BPCHAR;
    return result;
  };
  adapter.queryRaw = async (q) => {
    const result = await query(q);
    result.columnTypes = result.columnTypes.map((t, i) => (chars[i] ? ColumnTypeEnum.Character : t));
    return result;
  };
  return adapter;
}

/** The shadow database is an in-memory PGlite, so that a diff between files needs no server. */
async function scratch() {
  const [{ PGlite }, { PrismaPGlite }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('pglite-prisma-adapter'),
  ]);
  const db = await PGlite.create();
  const adapter = await new PrismaPGlite(db).connect();
  const executeScript = async (sql) => {
    await db.exec(sql);
  };
  return Object.assign(adapter, { executeScript, dispose: () => db.close() });
}

async function startEngine(offline) {
  const bg = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const file = new URL('./schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': bg });
  bg.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  // undefined when there are none: [] makes the engine panic
  const datamodels = options.datamodels?.map((p) => [p, readFileSync(p, 'utf8')]);
  const factory = {
    provider: 'postgres',
    adapterName: 'pg',
    connect: offline ? scratch : live,
    connectToShadowDb: scratch,
  };
  return bg.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory(factory));
}

const engines = {};
function engine({ method, params }) {
  const tags = method === 'diff' ? [params.from.tag, params.to.tag] : ['url'];
  const offline = !tags.some((t) => t === 'url' || t === 'schemaDatasource');
  engines[offline] ??= startEngine(offline);
  return engines[offline];
}

function send(message) {
  const plain = (_, v) => (v instanceof Map ? Object.fromEntries(v) : v);
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message }, plain)}\n`);
}

let prints = 1e6; // ids of our own requests, out of the way of the CLI's
async function answer(message) {
  try {
    const target = await engine(message);
    const name = message.method === 'getDatabaseVersion' ? 'version' : message.method;
    if (!target[name]) throw new Error(`${message.method}: not in the WebAssembly engine`);
    let result = (await target[name](message.params)) ?? {};
    if (name === 'diff') {
      send({ id: prints++, method: 'print', params: { content: result.stdout ?? '' } });
      result = { exitCode: result.exitCode, stdout: null };
    }
    send({ id: message.id, result });
  } catch (e) {
    const known = e?.code ? { error_code: e.code, meta: e.meta ?? null } : {};
    const data = { is_panic: false, message: String(e?.message ?? e), ...known };
    send({ id: message.id, error: { code: 4466, message: 'An error happened.', data } });
  }
}

function serve() {
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (m) => log(m) };
  let queue = Promise.resolve();
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const message = line.trim() && JSON.parse(line);
      if (message?.method) queue = queue.then(() => answer(message)); // else: the answer to our `print`
    })
    .on('close', () => queue.then(() => process.exit(0)));
}

if (options.version) console.log('schema-engine-cli wasm');
else if (positionals[0] === 'cli') await cli(positionals[1]);
else serve();
