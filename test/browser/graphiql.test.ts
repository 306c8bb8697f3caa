/** The whole journey in the console, in a real browser that reaches nothing but the stack. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../testkit/stack.ts';
import { findChromium, openWindow, type Window } from './chromium.ts';
import { at, type ConsolePage, type Json, openConsole } from './console-page.ts';

const executablePath = findChromium();
if (!executablePath) console.warn('browser tests skipped: no chromium in PATH (apt-get install chromium)');

/** Two kinds that one look at `length` tells apart. */
const FLOWERS = ['length,width,kind']
  .concat(
    Array.from({ length: 240 }, (_, i) => `${(i % 2) * 3 + (i % 23) / 23},${(i % 17) / 17},${i % 2 ? 'iris' : 'rose'}`),
  )
  .join('\n');

describe.skipIf(!executablePath)('the console', () => {
  let stack: Stack;
  let window: Window;
  let console_: ConsolePage;
  /** What the steps hand to each other, as a person would by copying. */
  const kept = { dataset: '', token: '', datasetVersion: '', run: '', version: '' };

  beforeAll(async () => {
    stack = await startStack();
    window = await openWindow({ executablePath: executablePath ?? '', origin: new URL(stack.graphiql).origin });
    console_ = await openConsole(await window.context.newPage(), stack.graphiql);
  }, 180_000);
  afterAll(async () => {
    await window?.close();
    await stack?.stop();
  });

  /** Runs the open tab and gives the object of its payload, which must be free of userErrors. */
  async function mutate(field: string, object: string): Promise<Json> {
    await console_.play();
    const answer = await console_.answer();
    expect(at(answer, 'data', field, 'userErrors')).toEqual([]);
    return at(answer, 'data', field, object);
  }

  it('is signed in by the link, keeps the token out of the address bar, and shows no errors', async () => {
    expect(console_.page.url()).toBe(new URL('/graphiql/', stack.graphiql).href);
    expect(await console_.page.title()).toBe('Anneal');
    expect(window.errors).toEqual([]);
  });

  it('has loaded the schema: the documentation explorer knows the journey', async () => {
    const { page } = console_;
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByRole('link', { name: 'Mutation', exact: true }).click();
    await page.getByRole('link', { name: 'commitDatasetVersion', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
  });

  it('step 1 creates a data set with the variables that the tab brings', async () => {
    await console_.openTab('CreateDataset');
    const dataset = await mutate('createDataset', 'dataset');
    expect(at(dataset, 'name')).toBe('flowers');
    kept.dataset = String(at(dataset, 'id'));
  });

  it('step 2 stages an upload, and the Upload panel sends a file', async () => {
    const { page } = console_;
    await console_.openTab('StageUpload');
    const upload = await mutate('stageUpload', 'upload');
    expect(at(upload, 'method')).toBe('PUT');

    await page.getByRole('button', { name: 'Show Upload' }).click();
    const file = { name: 'flowers.csv', mimeType: 'text/csv', buffer: Buffer.from(FLOWERS) };
    await page.locator('input[type=file]').setInputFiles(file);
    const token = page.getByLabel('Upload token');
    await token.waitFor();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
    kept.token = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(kept.token).toBe(await token.inputValue());
    expect(kept.token).not.toBe(at(upload, 'token'));
    await page.getByRole('button', { name: 'Hide Upload' }).click();
  });

  it('step 3 commits the file as a version', async () => {
    await console_.openTab('CommitDatasetVersion');
    const input = at(await console_.variables(), 'input');
    await console_.fillIn({ input: { ...Object(input), datasetId: kept.dataset, uploadTokens: [kept.token] } });
    const version = await mutate('commitDatasetVersion', 'datasetVersion');
    expect([at(version, 'number'), at(version, 'rowCount')]).toEqual([1, 240]);
    kept.datasetVersion = String(at(version, 'id'));
  });

  it('step 4 creates an experiment', async () => {
    await console_.openTab('CreateExperiment');
    const input = at(await console_.variables(), 'input');
    await console_.fillIn({ input: { ...Object(input), datasetVersionId: kept.datasetVersion } });
    const experiment = await mutate('createExperiment', 'experiment');
    kept.run = String(at(experiment, 'runs', 'nodes', 0, 'id'));
  });

  it('step 5 follows the run live until it has succeeded', async () => {
    await console_.openTab('RunUpdated');
    await console_.fillIn({ run: kept.run });
    await console_.play('RunUpdated');
    const ended = (answer: Json) =>
      ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(String(at(answer, 'data', 'runUpdated', 'status')));
    const last = await console_.answer(ended, 120_000);
    expect(at(last, 'data', 'runUpdated')).toMatchObject({ status: 'SUCCEEDED', progress: 1 });
    await console_.play('Run');
    const run = at(await console_.answer((answer) => at(answer, 'data', 'run') !== undefined), 'data', 'run');
    expect(at(run, 'status')).toBe('SUCCEEDED');
    expect(at(run, 'metrics', 0, 'points', 0, 'value')).toBeTypeOf('number');
  }, 150_000);

  it('step 6 shows F1 by version', async () => {
    await console_.openTab('F1ByVersion');
    await console_.play();
    const version = at(await console_.answer(), 'data', 'model', 'versions', 'nodes', 0);
    expect(at(version, 'number')).toBe(1);
    expect(at(version, 'evaluation', 'f1', 'value')).toBeGreaterThan(0.9);
    expect(at(version, 'evaluation', 'confusionMatrix', 'labels')).toEqual(['iris', 'rose']);
    kept.version = String(at(version, 'id'));
  });

  it('step 7 deploys the version, which then answers', async () => {
    await console_.openTab('Deploy');
    await console_.fillIn({
      input: { endpoint: 'flowers', variants: [{ modelVersionId: kept.version, weight: 100 }] },
    });
    const endpoint = await mutate('deploy', 'endpoint');
    const response = await fetch(String(at(endpoint, 'url')), {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.keys.admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ instances: [{ length: 3.5, width: 0.5 }] }),
    });
    expect(at(await response.json(), 'predictions', 0, 'label')).toBe('iris');
  });

  it('step 8 shows the traffic of the version', async () => {
    await console_.openTab('Traffic');
    await console_.fillIn({ version: kept.version });
    // Events travel from the edge in their own time: ask until the prediction of step 7 is counted.
    await expect
      .poll(
        async () => {
          await console_.play();
          return at(await console_.answer(), 'data', 'modelVersion', 'traffic', 'requests');
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBe(1);
    const traffic = at(await console_.answer(), 'data', 'modelVersion', 'traffic');
    expect(at(traffic, 'errors')).toBe(0);
    expect(at(traffic, 'latency', 'p50')).toBeGreaterThan(0);
  }, 60_000);

  it('did all of it without another origin and without an error in the console', () => {
    expect(window.foreign).toEqual([]);
    expect(window.errors).toEqual([]);
  });
});
