/** The laws of the house (sizes, imports, names, files that must stay true to each other) as a test. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectFiles, ROOT, type Source, type Syntax, sources, walk } from './house/sources.ts';

const MAX_LINES = 350;
const MAX_COLUMNS = 120;
const MAX_FUNCTION_LINES = 60;

const all = sources();
const inFolder = (...folders: string[]) => all.filter((s) => folders.some((folder) => s.name.startsWith(`${folder}/`)));
const isTest = (source: Source) => /\.test\.tsx?$/.test(source.name) || source.name.startsWith('test/');

/** Where a relative import leads, from the root; bare specifiers as they are. */
function target(source: Source, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return path.posix.normalize(path.posix.join(path.posix.dirname(source.name), specifier));
}

/** `file imports x` for every import that the rule forbids. */
function breaches(of: Source[], forbidden: (to: string, source: Source) => boolean): string[] {
  return of.flatMap((source) =>
    source.imports
      .map((specifier) => target(source, specifier))
      .filter((to) => forbidden(to, source))
      .map((to) => `${source.name} imports ${to}`),
  );
}

describe('sizes', () => {
  it(`files have at most ${MAX_LINES} lines of at most ${MAX_COLUMNS} columns`, () => {
    const wrong = all.flatMap((s) => [
      ...(s.lines.length - 1 > MAX_LINES ? [`${s.name}: ${s.lines.length - 1} lines`] : []),
      ...s.lines.flatMap((line, i) =>
        line.length > MAX_COLUMNS ? [`${s.name}:${i + 1}: ${line.length} columns`] : [],
      ),
    ]);
    expect(wrong).toEqual([]);
  });

  it(`functions have at most ${MAX_FUNCTION_LINES} lines`, () => {
    const kinds = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];
    const wrong: string[] = [];
    for (const source of all)
      walk(source.program, (node, parents) => {
        if (!kinds.includes(node.type) || isDescribe(parents.at(-1))) return;
        const lines = source.text.slice(node.start, node.end).split('\n').length;
        const at = source.text.slice(0, node.start).split('\n').length;
        if (lines > MAX_FUNCTION_LINES) wrong.push(`${source.name}:${at}: a function of ${lines} lines`);
      });
    expect(wrong).toEqual([]);
  });
});

/** describe(...), describe.skipIf(...)(...): their callbacks are lists of tests, not functions to read. */
function isDescribe(parent: Syntax | undefined): boolean {
  if (parent?.type !== 'CallExpression') return false;
  let callee = parent.callee as Syntax;
  while (callee.type === 'CallExpression' || callee.type === 'MemberExpression')
    callee = (callee.type === 'CallExpression' ? callee.callee : callee.object) as Syntax;
  return callee.type === 'Identifier' && callee.name === 'describe';
}

describe('types', () => {
  it('nothing is `any` without a reason, no error is silenced', () => {
    const wrong: string[] = [];
    for (const source of all) {
      if (/@ts-(ignore|nocheck)/.test(source.text) && source.name !== 'test/house.test.ts')
        wrong.push(`${source.name}: @ts-ignore`);
      walk(source.program, (node) => {
        if (node.type !== 'TSAnyKeyword') return;
        const at = source.text.slice(0, node.start).split('\n').length;
        const before = source.lines[at - 2] ?? '';
        if (!/biome-ignore lint\/suspicious\/noExplicitAny: \S/.test(before)) wrong.push(`${source.name}:${at}: any`);
      });
    }
    expect(wrong).toEqual([]);
  });
});

describe('imports', () => {
  it('the compiler (ir, autodiff, optim, zoo) does no I/O and knows no engine', () => {
    const floor = ['ir', 'autodiff', 'optim', 'zoo'].map((room) => `apps/trainer/src/${room}`);
    const allowed = [...floor.map((room) => `${room}/`), 'apps/trainer/src/random.ts', '@anneal/trainer/contract'];
    const own = [...allowed, 'apps/trainer/src/contract', 'zod'];
    const code = inFolder(...floor).filter((s) => !isTest(s) && !/\/testing(\/|\.ts)/.test(s.name));
    expect(breaches(code, (to) => !own.some((prefix) => to.startsWith(prefix)))).toEqual([]);
  });

  it('contracts import nothing but zod', () => {
    const code = all.filter((s) => /^apps\/\w+\/src\/contract(\.ts|\/)/.test(s.name) && !isTest(s));
    expect(code.length).toBeGreaterThanOrEqual(4);
    expect(breaches(code, (to) => to !== 'zod' && !/^apps\/\w+\/src\/contract\//.test(to))).toEqual([]);
  });

  it('apps meet only at their doors', () => {
    const doors = [
      'trainer/contract',
      'trainer/zoo',
      'edge/contract',
      'edge/predict',
      'edge/preprocess',
      'edge/engine',
      'api/contract',
    ];
    const allowed = [...doors, 'edge/engine/node'].map((door) => `@anneal/${door}`);
    const app = (name: string) => /^apps\/(\w+)\//.exec(name)?.[1];
    const code = inFolder('apps').filter((s) => !isTest(s));
    const foreign = (to: string, source: Source) =>
      to.startsWith('@anneal/') ? !allowed.includes(to) : to.startsWith('apps/') && app(to) !== app(source.name);
    expect(breaches(code, foreign)).toEqual([]);
    const tools = inFolder('tools', 'examples').filter((s) => !isTest(s));
    expect(breaches(tools, (to) => to.startsWith('apps/') || to.startsWith('@anneal/'))).toEqual([]);
  });

  it('the schema reads rows only through the plugin, evaluation is pure', () => {
    const schema = inFolder('apps/api/src/schema').filter((s) => !isTest(s));
    expect(breaches(schema, (to) => to.includes('generated/prisma') || to.startsWith('apps/api/src/storage'))).toEqual(
      [],
    );
    const pure = inFolder('apps/api/src/evaluation').filter((s) => !isTest(s));
    const allowed = /^(apps\/api\/src\/(evaluation\/|contract\.ts|random\.ts)|@anneal\/\w+\/contract$|zod$)/;
    expect(breaches(pure, (to) => !allowed.test(to))).toEqual([]);
  });

  it('process.env is read only where configuration is read', () => {
    const allowed = /^(apps\/\w+\/src\/config\.ts|tools\/|test\/|bench\/|examples\/|prisma\.config\.ts)/;
    const wrong = all.filter((s) => s.text.includes('process.env') && !allowed.test(s.name) && !isTest(s));
    expect(wrong.map((s) => s.name)).toEqual([]);
  });

  it('only the Worker knows the platform', () => {
    const code = inFolder('apps/edge/src').filter((s) => !isTest(s));
    const platform = /apps\/edge\/src\/(worker|outbox)\.ts/;
    expect(breaches(code, (to, s) => to.startsWith('cloudflare:') && !platform.test(s.name))).toEqual([]);
  });
});

describe('names', () => {
  it('files are named after what they do', () => {
    const vague = /(^|[/.-])(manager|service|helpers?|utils?|common|info)([.-]|\/|$)/i;
    expect(projectFiles().filter((name) => vague.test(name))).toEqual([]);
  });
});

describe('files that must stay true', () => {
  it("the README's map of folders equals the tree", () => {
    const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
    const map = /## Map of folders\n+```\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const named = [...map.matchAll(/^(\S+)\//gm)].map((match) => String(match[1]));
    const wrong = named.filter((folder) => !existsSync(path.join(ROOT, folder)));
    expect(wrong, 'named but absent').toEqual([]);
    const folders = new Set(projectFiles().map((name) => path.posix.dirname(name)));
    const rooms = [...folders].flatMap((folder) => {
      const parts = folder.split('/');
      if (parts[0] === 'apps') return parts.length >= 4 ? [parts.slice(0, 4).join('/')] : [];
      return parts[0] === '.' ? [] : [String(parts[0])];
    });
    const unnamed = [...new Set(rooms)].filter((room) => !named.includes(room) && room !== '.ci');
    expect(unnamed, 'in the tree but not in the map').toEqual([]);
  });

  it('schema.graphql is what the code prints', () => {
    execFileSync(process.execPath, ['apps/api/src/schema/print.ts', '--check'], { cwd: ROOT, stdio: 'pipe' });
  });

  it('the migrations make what schema.prisma says', () => {
    const prisma = 'node_modules/prisma/build/index.js';
    const diff = ['migrate', 'diff', '--from-migrations', 'prisma/migrations', '--to-schema', 'prisma/schema.prisma'];
    execFileSync(process.execPath, [prisma, ...diff, '--exit-code'], { cwd: ROOT, stdio: 'pipe' });
  }, 60_000);
});
