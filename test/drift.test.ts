/** Drift from a CSV to GraphQL, through the public doors of a whole stack: what shifted shows, nothing else does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  commit,
  createDataset,
  createExperiment,
  deploy,
  finished,
  graphql,
  predict,
  upload,
} from '../examples/client.ts';
import { type Stack, startStack } from './testkit/stack.ts';

const ROWS = 3000;
const ASKED = 1500;
const REGIONS = Array.from({ length: 12 }, (_, i) => `region ${i + 1}`);

/** Mulberry32, in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Row = Record<string, string | number | null>;
/** A long tail, whole numbers, rare and frequent categories, zeros almost everywhere, a tenth missing. */
function rowsOf(count: number, seed: number): Row[] {
  const random = uniform(seed);
  const pick = (of: readonly string[]) => of[Math.floor(random() ** 2 * of.length)] ?? null;
  return Array.from({ length: count }, () => {
    const signal = random() - 0.5;
    return {
      signal,
      amount: Math.exp(3 * random()),
      age: 18 + Math.floor(random() * 60),
      gain: random() < 0.9 ? 0 : Math.ceil(random() * 5000),
      plan: pick(['basic', 'pro', 'team']),
      region: pick(REGIONS),
      visits: random() < 0.1 ? null : Math.floor(random() * 10),
      renewed: signal + 0.2 * (random() - 0.5) > 0 ? 'yes' : 'no',
    };
  });
}

function csvOf(rows: Row[]): Uint8Array<ArrayBuffer> {
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => names.map((name) => row[name] ?? '').join(','));
  return new TextEncoder().encode(`${names.join(',')}\n${lines.join('\n')}\n`);
}

const COLUMNS = ['$prediction', 'age', 'amount', 'gain', 'plan', 'region', 'signal', 'visits'];
const DRIFT = `query ($id: ID!, $endpoint: String!) { modelVersion(id: $id) { drift(endpoint: $endpoint) {
  n columns { column n unseen psi jensenShannon severity missing { expected observed }
    chiSquare { statistic degreesOfFreedom pValue } bins { label expected observed } } } } }`;
interface Column {
  column: string;
  n: number;
  unseen: number;
  psi: number;
  severity: string;
  missing: { expected: number; observed: number };
  bins: { label: string; expected: number; observed: number }[];
}
type Drift = { n: number; columns: Column[] } | null;

describe('drift', () => {
  let stack: Stack;
  let modelVersionId: string;
  beforeAll(async () => {
    stack = await startStack();
    const to = stack.connection;
    const token = await upload(to, 'renewals.csv', csvOf(rowsOf(ROWS, 1)));
    const datasetId = await createDataset(to, 'renewals');
    const input = { datasetId, uploadTokens: [token], format: 'CSV', target: 'renewed' };
    const { id: datasetVersionId } = await commit(to, input);
    const budget = { maxEpochs: 5 };
    const run = await createExperiment(to, { name: 'renewals', modelName: 'renewals', datasetVersionId, budget });
    modelVersionId = (await finished(to, run)).id;
  }, 120_000);
  afterAll(async () => await stack.stop());

  const driftAt = async (endpoint: string) =>
    (await graphql<{ modelVersion: { drift: Drift } }>(stack.connection, DRIFT, { id: modelVersionId, endpoint }))
      .modelVersion.drift;
  async function ask(endpoint: string, rows: Row[]): Promise<Map<string, Column>> {
    await deploy(stack.connection, endpoint, modelVersionId);
    expect(await driftAt(endpoint)).toBeNull();
    for (let start = 0; start < rows.length; start += 100)
      await predict(stack.connection, endpoint, rows.slice(start, start + 100));
    await expect.poll(async () => (await driftAt(endpoint))?.n, { timeout: 30_000, interval: 250 }).toBe(rows.length);
    const columns = (await driftAt(endpoint))?.columns ?? [];
    const psis = columns.map(({ psi }) => psi);
    expect(psis).toEqual(psis.toSorted((a, b) => b - a)); // worst first
    expect(columns.map(({ column }) => column).sort()).toEqual(COLUMNS);
    for (const { n, bins, missing } of columns) {
      expect(n).toBe(rows.length);
      for (const side of ['expected', 'observed'] as const)
        expect(bins.reduce((sum, bin) => sum + bin[side], missing[side])).toBeCloseTo(1, 9);
    }
    return new Map(columns.map((column) => [column.column, column]));
  }

  it('is none where the requests are like the rows of training', async () => {
    const columns = await ask('alike', rowsOf(ASKED, 2));
    for (const { column, psi, severity } of columns.values()) {
      expect(psi, column).toBeLessThan(0.1);
      expect(severity, column).toBe('NONE');
    }
    expect(columns.get('plan')?.unseen).toBe(0);
    expect(columns.get('gain')?.bins[0]?.expected).toBeGreaterThan(0.85);
  }, 60_000);

  it('shows in the columns that have shifted, lack values or have new categories, and in no other', async () => {
    const random = uniform(3);
    const shifted = rowsOf(ASKED, 4).map((row) => {
      const changes: Row = { amount: Number(row.amount) * 1.8 };
      if (random() < 0.3) changes.age = null;
      if (random() < 0.2) changes.plan = 'enterprise';
      return { ...row, ...changes };
    });
    const columns = await ask('shifted', shifted);
    const flagged = [...columns.values()].filter(({ severity }) => severity !== 'NONE').map(({ column }) => column);
    expect(flagged.filter((column) => column !== '$prediction').sort()).toEqual(['age', 'amount', 'plan']);
    expect(columns.get('age')?.missing).toEqual({ expected: 0, observed: expect.closeTo(0.3, 1) });
    const enterprise = shifted.filter(({ plan }) => plan === 'enterprise').length;
    expect(columns.get('plan')?.unseen).toBe(enterprise);
    expect(columns.get('plan')?.bins.at(-1)).toEqual({
      label: '(others)',
      expected: 0,
      observed: expect.closeTo(enterprise / ASKED, 9),
    });
    const max = Math.exp(3);
    const beyond = shifted.filter(({ amount }) => Number(amount) > max).length;
    expect(Math.abs((columns.get('amount')?.unseen ?? 0) - beyond)).toBeLessThan(ASKED / 100);
  }, 60_000);

  it('keeps raw inputs only once the endpoint asks for samples', async () => {
    const query =
      '{ endpoint(name: "alike") { samples(first: 5) { totalCount nodes { instance modelVersion { id } } } } }';
    type Samples = { totalCount: number; nodes: { instance: Row; modelVersion: { id: string } }[] };
    const read = async () =>
      (await graphql<{ endpoint: { samples: Samples } }>(stack.connection, query)).endpoint.samples;
    expect(await read()).toEqual({ totalCount: 0, nodes: [] });
    const settings = { samples: { rate: 1, retentionDays: 1 } };
    await graphql(
      stack.connection,
      `mutation ($input: UpdateEndpointSettingsInput!) {
        updateEndpointSettings(input: $input) { userErrors { code field message } } }`,
      { input: { endpoint: 'alike', settings } },
    );
    const rows = rowsOf(3, 5);
    await predict(stack.connection, 'alike', rows);
    await expect.poll(async () => (await read()).totalCount, { timeout: 15_000 }).toBe(rows.length);
    const { nodes } = await read();
    expect(nodes.map(({ instance }) => instance)).toEqual(rows.toReversed());
    expect(nodes[0]?.modelVersion.id).toBe(modelVersionId);
  }, 30_000);
});
