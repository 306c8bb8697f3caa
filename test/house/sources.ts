/** The project's own source files, read and parsed once: what the laws of the house look at. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'vite';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const LEFT_OUT = new Set(['node_modules', 'generated', 'dist', '.git', '.anneal', '.wrangler']);

/** A syntax node; only what the laws ask for is typed. */
export interface Syntax {
  type: string;
  start: number;
  end: number;
  [property: string]: unknown;
}

export interface Source {
  /** Path from the root, with forward slashes. */
  name: string;
  text: string;
  lines: string[];
  imports: string[];
  program: Syntax;
}

/** Names of all files below the root that are ours, from the root. */
export function projectFiles(folder = ROOT): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (LEFT_OUT.has(entry.name)) return [];
    return entry.isDirectory() ? projectFiles(full) : [path.relative(ROOT, full).replaceAll('\\', '/')];
  });
}

const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Calls `visit` for every node below, parents first, with the chain of parents (nearest last). */
export function walk(node: Syntax, visit: (node: Syntax, parents: Syntax[]) => void, parents: Syntax[] = []): void {
  visit(node, parents);
  const below = [...parents, node];
  for (const value of Object.values(node))
    for (const child of [value].flat()) if (isSyntax(child)) walk(child, visit, below);
}

/** Specifiers of static and dynamic imports and re-exports. */
function importsOf(program: Syntax): string[] {
  const found: string[] = [];
  walk(program, (node) => {
    const isImport = ['ImportDeclaration', 'ImportExpression', 'ExportNamedDeclaration', 'ExportAllDeclaration'];
    const { source } = node;
    if (isImport.includes(node.type) && isSyntax(source) && typeof source.value === 'string') found.push(source.value);
  });
  return found;
}

/** All TypeScript and JavaScript sources. */
export function sources(): Source[] {
  return projectFiles()
    .filter((name) => /\.(ts|tsx|mjs)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => {
      const text = readFileSync(path.join(ROOT, name), 'utf8');
      const program = parseSync(name, text).program as unknown as Syntax; // the parser's types name every node kind
      return { name, text, lines: text.split('\n'), imports: importsOf(program), program };
    });
}
