/**
 * `npm start`: the one-machine stack. PostgreSQL + API, edge and trainer as supervised children; then the quick start.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { readSecrets, writePrivate } from './secrets.ts';
import { type Supervised, supervise } from './supervise.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const say = (text: string) => process.stdout.write(`${text}\n`);

/** Settings of the stack, from the environment and the command line. */
function readSettings() {
  const port = (name: string, fallback: number) => {
    const value = Number(process.env[name] || fallback);
    if (Number.isInteger(value) && value >= 0 && value <= 65535) return value;
    throw new Error(`${name} is ${JSON.stringify(process.env[name])}: expected a port number, 0 for any free one`);
  };
  const known = ['--no-quickstart'];
  const unknown = process.argv.slice(2).find((argument) => !known.includes(argument));
  if (unknown) throw new Error(`unknown argument ${unknown}: only ${known.join(', ')} is known`);
  return {
    home: path.resolve(process.env.ANNEAL_HOME || path.join(ROOT, '.anneal')),
    host: process.env.HOST || '127.0.0.1',
    apiPort: port('API_PORT', 4000),
    edgePort: port('EDGE_PORT', 8787),
    quickstart: !process.argv.includes('--no-quickstart'),
  };
}
type Settings = ReturnType<typeof readSettings>;

/** A port that is free now; 0 asks for any. API and edge must know each other's before either starts. */
async function reservePort(host: string, port: number, variable: string): Promise<number> {
  const server = createServer();
  return await new Promise<number>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} on ${host} is taken: stop what uses it, or set ${variable} (0 = any free port)`)
          : error,
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === 'object' ? address.port : port));
    });
  });
}

/** One stack per data folder. */
function refuseSecondStack(stackFile: string): void {
  if (!existsSync(stackFile)) return;
  const { pid } = JSON.parse(readFileSync(stackFile, 'utf8')) as { pid: number };
  try {
    process.kill(pid, 0);
  } catch {
    rmSync(stackFile); // left by a launcher that was killed
    return;
  }
  if (pid !== process.pid) throw new Error(`A stack already runs on this data folder (pid ${pid}): ${stackFile}`);
}

interface Stack {
  children: Supervised[];
  api: string;
  edge: string;
  consoleOnce: string;
  console: string;
}

async function startChildren(settings: Settings, keys: ReturnType<typeof readSecrets>): Promise<Stack> {
  const { home, host } = settings;
  const [apiPort, edgePort] = [
    await reservePort(host, settings.apiPort, 'API_PORT'),
    await reservePort(host, settings.edgePort, 'EDGE_PORT'),
  ];
  const reach = host === '0.0.0.0' ? '127.0.0.1' : host;
  const apiUrl = `http://${reach}:${apiPort}`;
  const edgeUrl = `http://${reach}:${edgePort}`;
  const shared = { ANNEAL_HOME: home, HOST: host };
  const edgeSecrets = { EDGE_KEY: keys.edgeKey, EDGE_ADMIN_SECRET: keys.edgeAdminSecret };
  const child = (name: string, entry: string, env: Record<string, string>) =>
    supervise({
      name,
      args: [path.join(ROOT, entry)],
      env: { ...shared, ...env },
      cwd: ROOT,
      logFolder: path.join(home, 'logs'),
      onRestart: (who, how) => say(`${who} ${how}; starting it again (log: ${path.join(home, 'logs', `${who}.log`)})`),
    });
  const api = child('api', 'apps/api/src/main.ts', {
    API_PORT: String(apiPort),
    EDGE_URL: edgeUrl,
    ADMIN_KEY: keys.adminKey,
    TRAINER_KEY: keys.trainerKey,
    SIGNING_SECRET: keys.signingSecret,
    ...edgeSecrets,
  });
  const edge = child('edge', 'apps/edge/src/host.ts', {
    EDGE_PORT: String(edgePort),
    API_URL: apiUrl,
    ADMIN_SECRET: keys.edgeAdminSecret,
    EDGE_DATA: path.join(home, 'edge'),
    ...edgeSecrets,
  });
  const children = [edge, api]; // in order of their end: the API (and its database) last
  try {
    const [ready] = await Promise.all([api.ready, edge.ready]);
    const trainer = child('trainer', 'apps/trainer/src/main.ts', {
      API_URL: `${apiUrl}/graphql`,
      TRAINER_KEY: keys.trainerKey,
    });
    children.unshift(trainer);
    await trainer.ready;
    return {
      children,
      api: String(ready.url),
      edge: edgeUrl,
      consoleOnce: String(ready.consoleOnce),
      console: String(ready.console),
    };
  } catch (e) {
    await stopAll(children);
    throw e;
  }
}

async function stopAll(children: Supervised[]): Promise<void> {
  for (const child of children) await child.stop();
}

/** The quick start is an example like the others: it speaks to the stack through the public doors only. */
async function quickstart(stack: Stack, adminKey: string): Promise<number | null> {
  const example = spawn(process.execPath, [path.join(ROOT, 'examples/quickstart.ts')], {
    env: { ...process.env, ANNEAL_API: stack.api, ANNEAL_EDGE: stack.edge, ANNEAL_KEY: adminKey },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return await new Promise((resolve) => example.once('close', resolve));
}

async function main(): Promise<void> {
  const started = Date.now();
  const settings = readSettings();
  mkdirSync(settings.home, { recursive: true });
  const stackFile = path.join(settings.home, 'stack.json');
  refuseSecondStack(stackFile);
  const keys = readSecrets(settings.home);
  say(`Starting PostgreSQL, API, edge and trainer (data: ${settings.home}) ...`);
  let stack: Stack | undefined;
  let ending = false;
  const end = async (code: number) => {
    if (ending) return;
    ending = true;
    rmSync(stackFile, { force: true });
    if (stack) {
      say('Stopping ...');
      await stopAll(stack.children);
    }
    process.exit(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
  stack = await startChildren(settings, keys);
  say(`Ready in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  if (settings.quickstart && !ending) {
    const code = await quickstart(stack, keys.adminKey);
    if (code !== 0 && !ending) say(`The quick start did not finish (code ${code}); the stack goes on serving.`);
  }
  if (ending) return;
  const { api, edge, console } = stack;
  const file = { pid: process.pid, api, edge, graphiql: console, keys: { admin: keys.adminKey } };
  writePrivate(stackFile, `${JSON.stringify(file, null, 2)}\n`);
  say(`
  GraphQL    ${api}
  GraphiQL   ${stack.consoleOnce}   (signs this browser in, once; a fresh link is in stack.json)
  Edge       ${edge}
  Keys       ${stackFile}
  Logs       ${path.join(settings.home, 'logs')}

Serving. Ctrl-C stops everything; the data stays.`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
