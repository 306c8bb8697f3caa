// Makes dist/: the Worker as one module and the WebAssembly file beside it, for Miniflare and plain workerd (wrangler
// bundles by itself). Brings the glue up to date first; does nothing when no input has changed.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildGlue, digestOf, ORT_WASM, sources, writeIfChanged } from './build-glue.mjs';

const HERE = import.meta.dirname;
const DIST = path.join(HERE, 'dist');
const STAMP = path.join(DIST, 'inputs');

/** Where the build lies: the main module imports the wasm as ./ort.wasm. */
export const WORKER = path.join(DIST, 'worker.mjs');
export const WORKER_WASM = path.join(DIST, 'ort.wasm');

/** Brings dist/ up to date. @returns true when something was built. */
export async function buildWorker() {
  const { build, wasm } = await buildGlue();
  const zod = JSON.parse(readFileSync(createRequire(import.meta.url).resolve('zod/package.json'), 'utf8')).version;
  const inputs = `${digestOf([...sources(['src/**/*.ts']), 'build-worker.mjs'])} ${build} ${wasm} zod@${zod}\n`;
  const fresh =
    [WORKER, WORKER_WASM, STAMP].every((file) => existsSync(file)) && readFileSync(STAMP, 'utf8') === inputs;
  if (fresh) return false;
  mkdirSync(DIST, { recursive: true });
  writeIfChanged(WORKER, await bundleWorker('src/worker.ts'));
  const temporary = `${WORKER_WASM}.${process.pid}.tmp`;
  copyFileSync(ORT_WASM, temporary);
  renameSync(temporary, WORKER_WASM);
  writeFileSync(STAMP, inputs);
  return true;
}

/** A Worker whose main module is `entry`, as one text; its wasm is imported as ./ort.wasm. */
export async function bundleWorker(entry) {
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: HERE,
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'import'],
    target: 'es2024',
    external: ['cloudflare:workers'],
    plugins: [
      {
        name: 'wasm-beside', // workerd compiles it as a module of its own: code may not compile bytes there
        setup(b) {
          b.onResolve({ filter: /\.wasm$/ }, () => ({ path: './ort.wasm', external: true }));
        },
      },
    ],
    logLevel: 'error',
  });
  return result.outputFiles[0].text;
}

if (import.meta.main) console.log((await buildWorker()) ? `built ${WORKER}` : `${WORKER} is up to date`);
