import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildGlue } from '../build-glue.mjs';
import { buildWorker, WORKER } from '../build-worker.mjs';
import { EDGE_BUILD, WASM_DIGEST } from '../src/engine/index.ts';

test('the digests say what is built from these sources', async () => {
  expect(await buildGlue()).toEqual({ build: EDGE_BUILD, wasm: WASM_DIGEST });
});

test('unchanged inputs are not built again', async () => {
  await buildWorker();
  const { mtimeMs } = statSync(WORKER);
  expect(await buildWorker()).toBe(false);
  expect(statSync(WORKER).mtimeMs).toBe(mtimeMs);
});
