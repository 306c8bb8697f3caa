/** The journey's tabs against the printed schema: an operation of the console that the API does not know fails here. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildSchema, getOperationAST, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TABS, seedFirstTab, TABS } from './tabs.ts';

const schema = buildSchema(readFileSync(path.resolve(import.meta.dirname, '../../../../schema.graphql'), 'utf8'));
const named = TABS.map((tab) => [/(?:mutation|query|subscription) (\w+)/.exec(tab.query)?.[1] ?? '', tab] as const);

describe('the tabs of the journey', () => {
  it('are its eight steps in order', () => {
    expect(named.map(([name]) => name)).toEqual([
      'CreateDataset',
      'StageUpload',
      'CommitDatasetVersion',
      'CreateExperiment',
      'RunUpdated',
      'F1ByVersion',
      'Deploy',
      'Traffic',
    ]);
    for (const [index, tab] of TABS.entries()) expect(tab.query).toContain(`# Step ${index + 1} of ${TABS.length}.`);
  });

  it.each(named)('%s is valid in schema.graphql', (_, tab) => {
    expect(validate(schema, parse(tab.query)).map(({ message }) => message)).toEqual([]);
  });

  it.each(named)('%s declares exactly the variables that its tab fills in', (_, tab) => {
    for (const definition of parse(tab.query).definitions) {
      const operation =
        definition.kind === 'OperationDefinition' && getOperationAST(parse(tab.query), definition.name?.value);
      const declared = operation ? operation.variableDefinitions?.map(({ variable }) => variable.name.value) : [];
      expect(Object.keys(tab.variables)).toEqual(declared);
    }
  });

  it.each(named)('%s fits into the editor of a small window', (_, tab) => {
    expect(Math.max(...tab.query.split('\n').map((line) => line.length))).toBeLessThanOrEqual(50);
  });
});

describe('seedFirstTab', () => {
  const storageWith = (entries: Record<string, string>) => {
    const held = new Map(Object.entries(entries));
    return {
      held,
      getItem: (key: string) => held.get(key) ?? null,
      setItem: (key: string, value: string) => void held.set(key, value),
    };
  };

  it('puts the first tab into the storage of a first visit only', () => {
    const fresh = storageWith({});
    seedFirstTab(fresh);
    expect(Object.fromEntries(fresh.held)).toEqual({
      'graphiql:query': DEFAULT_TABS[0]?.query,
      'graphiql:variables': DEFAULT_TABS[0]?.variables,
    });
    const returning = storageWith({ 'graphiql:tabState': '{}' });
    seedFirstTab(returning);
    expect([...returning.held.keys()]).toEqual(['graphiql:tabState']);
  });
});
