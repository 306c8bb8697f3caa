/** `eval "$(npm run -s env)"`: API, EDGE and KEY of the running stack as shell variables, from its stack.json. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const home = path.resolve(process.env.ANNEAL_HOME || path.join(import.meta.dirname, '../.anneal'));
const file = path.join(home, 'stack.json');
if (!existsSync(file)) {
  process.stderr.write(`No stack runs on ${home} (no stack.json there): run npm start first\n`);
  process.exit(1);
}
const stack: { api: string; edge: string; graphiql: string; keys: { admin: string } } = JSON.parse(
  readFileSync(file, 'utf8'),
);
const variables = { API: stack.api, EDGE: stack.edge, KEY: stack.keys.admin, GRAPHIQL: stack.graphiql };
for (const [name, value] of Object.entries(variables))
  process.stdout.write(`export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
