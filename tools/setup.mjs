#!/usr/bin/env node
// Makes a checkout ready to run: dependencies, then the generated code and bundles. Runs before `npm start` and `npm
// test`, on whatever Node the machine has; does nothing where everything is fresh. Plain JavaScript: nothing is
// installed yet.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const STAMPS = path.join(ROOT, 'node_modules/.anneal');
const say = (text) => process.stderr.write(`[setup] ${text}\n`);

/** Files below the paths, sorted, without what is generated or built. */
function filesOf(paths) {
  const found = [];
  const visit = (p) => {
    if (!statSync(p).isDirectory()) return found.push(p);
    for (const name of readdirSync(p).sort())
      if (!['node_modules', 'generated', 'dist'].includes(name)) visit(path.join(p, name));
  };
  for (const p of paths) visit(path.join(ROOT, p));
  return found;
}

function digestOf(paths) {
  const hash = createHash('sha256').update(process.arch);
  for (const file of filesOf(paths)) hash.update(`\n${path.relative(ROOT, file)}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

/** Runs a command; on failure shows all that it said. Says every 15 s that it still works. */
async function run(what, command, args, env = {}) {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(1);
  say(`${what} ...`);
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  const alive = setInterval(() => say(`${what}: ${seconds()} s ...`), 15_000);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(alive);
  if (code !== 0) {
    process.stderr.write(output);
    say(`${what} failed (exit code ${code}): the output above says why`);
    process.exit(1);
  }
  say(`${what}: done in ${seconds()} s`);
}

async function install() {
  const lock = path.join(ROOT, 'package-lock.json');
  const installed = path.join(ROOT, 'node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  // onnxruntime-node's install script would fetch CUDA files from outside the registry; the CPU library is in the
  // package
  const env = { ONNXRUNTIME_NODE_INSTALL: 'skip' };
  await run(
    'installing dependencies (about a minute)',
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    env,
  );
}

/** The pinned Node of the checkout, or the machine's own where that runs TypeScript. */
function node() {
  const pinned = path.join(ROOT, 'node_modules/.bin/node');
  if (existsSync(pinned)) return pinned;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 24) return process.execPath;
  say(`Node ${process.versions.node} cannot run this project on ${process.platform}: install Node 24 or newer`);
  return process.exit(1);
}

/** Runs a build step unless its inputs are as they were and its outputs are there. */
async function build(step) {
  const stamp = path.join(STAMPS, `${step.name}.sha256`);
  const digest = digestOf(['package-lock.json', ...step.inputs]);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
  if (fresh && step.outputs.every((output) => existsSync(path.join(ROOT, output)))) return;
  await run(step.what, node(), step.args);
  mkdirSync(STAMPS, { recursive: true });
  writeFileSync(stamp, digest);
}

const STEPS = [
  {
    name: 'prisma',
    what: 'generating the database client',
    args: ['node_modules/prisma/build/index.js', 'generate'],
    inputs: ['prisma/schema.prisma', 'prisma.config.ts'],
    outputs: ['apps/api/src/generated/prisma/client.ts', 'apps/api/src/generated/pothos.ts'],
  },
  {
    name: 'glue',
    what: "generating the edge's runtime glue",
    args: ['apps/edge/build-glue.mjs'],
    inputs: ['apps/edge/build-glue.mjs', 'apps/edge/src'],
    outputs: ['apps/edge/src/engine/generated/ort-glue.mjs'],
  },
  {
    name: 'worker',
    what: 'bundling the edge Worker',
    args: ['apps/edge/build-worker.mjs'],
    inputs: ['apps/edge/build-worker.mjs', 'apps/edge/build-glue.mjs', 'apps/edge/src', 'apps/api/src/contract.ts'],
    outputs: ['apps/edge/dist/worker.mjs'],
  },
  {
    name: 'console',
    what: 'building the GraphiQL console',
    args: [
      'node_modules/vite/bin/vite.js',
      'build',
      '--logLevel',
      'warn',
      '--config',
      'apps/api/src/console/vite.config.ts',
    ],
    inputs: ['apps/api/src/console'],
    outputs: ['apps/api/dist/console/index.html'],
  },
];

await install();
if (!process.argv.includes('--install-only')) for (const step of STEPS) await build(step);
