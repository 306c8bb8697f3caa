/** `npm run bench -- <name> [arguments]`: runs one of the measurements of this folder. */
import { readdirSync } from 'node:fs';

const names = readdirSync(import.meta.dirname).flatMap((file) => /^(?!main)(\w+)\.ts$/.exec(file)?.[1] ?? []);
const [name = '', ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join(' | ')}`);
  process.exit(1);
}
process.argv.splice(2, process.argv.length, ...rest);
await import(`./${name}.ts`);
