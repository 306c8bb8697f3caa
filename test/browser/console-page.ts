/** Drives GraphiQL as a person does: opens tabs, fills in variables, presses play, reads the answer. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** One open console. */
export interface ConsolePage {
  page: Page;
  /** Brings a tab of the journey to the front. */
  openTab(title: string): Promise<void>;
  /** Variables of the open tab, as its editor shows them. */
  variables(): Promise<Json>;
  /** Replaces the variables of the open tab. */
  fillIn(variables: unknown): Promise<void>;
  /** Presses play; the operation is chosen from the menu where the tab has several. */
  play(operation?: string): Promise<void>;
  /** The answer, once it satisfies the condition. Fails at once when the answer holds errors. */
  answer(until?: (answer: Json) => boolean, timeout?: number): Promise<Json>;
}

/** Read with `at(json, 'data', 'createDataset', ...)`. */
export type Json = unknown;

/** The value at a path of names and indexes; undefined where the path ends early. */
export function at(json: Json, ...path: (string | number)[]): Json {
  return path.reduce<Json>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    json,
  );
}

/** Opens the console by its sign-in link and waits until its editors are there. */
export async function openConsole(page: Page, link: string): Promise<ConsolePage> {
  await page.goto(link);
  const editor = page.locator('.graphiql-query-editor .view-line').first();
  await editor.waitFor();
  // Monaco's own handle, which GraphiQL puts there: the text of an editor is not in the page as a whole.
  const model = (name: string) => `__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('${name}'))`;
  const read = (name: string) => page.evaluate<string>(`${model(name)}.getValue()`);

  return {
    page,
    async openTab(title) {
      await page.getByRole('button', { name: title, exact: true }).click();
      await expect.poll(() => read('operation.graphql')).toContain(` ${title}(`);
    },
    variables: async () => JSON.parse(await read('variables.json')),
    async fillIn(variables) {
      await page.evaluate(`${model('variables.json')}.setValue(${JSON.stringify(JSON.stringify(variables, null, 2))})`);
    },
    async play(operation) {
      // The button learns a moment after a change of tabs whether it opens a menu.
      await page.locator(`.graphiql-execute-button${operation ? '[aria-haspopup]' : ':not([aria-haspopup])'}`).click();
      if (operation) await page.getByRole('menuitem', { name: operation, exact: true }).click();
    },
    async answer(until = () => true, timeout = 15_000) {
      let answer: Json;
      await expect
        .poll(
          async () => {
            const text = await read('response.json');
            if (!text) return 'no answer yet';
            answer = JSON.parse(text);
            return at(answer, 'errors') || until(answer) ? 'answered' : text;
          },
          { timeout, interval: 50 },
        )
        .toBe('answered');
      expect(at(answer, 'errors')).toBeUndefined();
      return answer;
    },
  };
}
