/** The browser of the tests: Debian's Chromium, without a way to any other origin than the one it is given. */
import { execFileSync } from 'node:child_process';
import { type BrowserContext, chromium } from 'playwright-core';

/** Path of a Chromium on this machine, or undefined where there is none: then the browser tests are skipped. */
export function findChromium(): string | undefined {
  const search = 'command -v chromium chromium-browser google-chrome || true';
  return execFileSync('sh', ['-c', search], { encoding: 'utf8' }).split('\n')[0] || undefined;
}

/** A browser window, what went wrong in it, and what it asked of other origins (all of that was refused). */
export interface Window {
  context: BrowserContext;
  errors: string[];
  foreign: string[];
  close(): Promise<void>;
}

/** Opens a window that reaches the one origin only: by its own routes, and by a resolver that knows no name. */
export async function openWindow(options: { executablePath: string; origin: string }): Promise<Window> {
  const { executablePath, origin } = options;
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const errors: string[] = [];
  const foreign: string[] = [];
  await context.route(
    (url) => url.origin !== origin,
    (route) => {
      foreign.push(route.request().url());
      return route.abort();
    },
  );
  context.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  context.on('weberror', (error) => errors.push(error.error().message));
  return { context, errors, foreign, close: () => browser.close() };
}
