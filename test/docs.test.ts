/** Every shell block of README and docs runs, in order, against a real stack. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from './testkit/stack.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const pages = ['README.md', ...readdirSync(path.join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);
const blocksOf = (page: string) =>
  [...readFileSync(path.join(ROOT, page), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) =>
    String(match[1]),
  );

describe('documentation', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(async () => await stack.stop());

  it('every curl stands in a block that is run', () => {
    for (const page of pages) {
      const text = readFileSync(path.join(ROOT, page), 'utf8');
      const outside = text.replaceAll(/^```sh\n[\s\S]*?^```/gm, '');
      expect(outside, page).not.toMatch(/^\s*curl /m);
    }
    expect(
      blocksOf('README.md')
        .join('\n')
        .match(/\bcurl -s/g)?.length,
    ).toBeGreaterThanOrEqual(9);
  });

  it('the journey example walks from a CSV to a prediction', async () => {
    const script = 'eval "$(npm run -s env)"; node examples/journey.ts examples/churn.csv churned';
    const { code, output } = await bash(script, { ANNEAL_HOME: stack.home });
    expect(code, output).toBe(0);
    expect(output).toMatch(/version \d+ serves at http/);
    expect(output).toMatch(/"label": "(yes|no)"/);
  }, 60_000);

  for (const page of pages.filter((name) => blocksOf(name).length > 0))
    it(`${page}: its commands answer without an error`, async () => {
      // one shell for the page, as a reader has; it stops at the first command that fails
      const script = ['set -euo pipefail', ...blocksOf(page).flatMap((block) => [block, 'echo'])].join('\n');
      const { code, output } = await bash(script, { ANNEAL_HOME: stack.home });
      expect(code, output).toBe(0);
      expect(output).not.toMatch(/"errors":\[|"error":["{]|"userErrors":\[\{/);
      if (page === 'README.md') {
        expect(output).toMatch(/"f1":\{"value":0\.\d+,"low":0\.\d+,"high":0\.\d+,"n":90\}/);
        expect(output).toMatch(/"label":"(yes|no)","score":0\.\d+/);
        expect(output).toMatch(/^200$/m); // GraphiQL
      }
    }, 120_000);
});

async function bash(script: string, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', ['-c', script], { cwd: ROOT, env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
