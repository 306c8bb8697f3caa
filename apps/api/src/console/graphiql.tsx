/** GraphiQL as this project sets it up: the journey in its tabs, the panels at its side. */
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createApiKey } from './api-key.ts';
import { ask, createFetcher } from './fetcher.ts';
import { createPanels } from './panels.tsx';
import { DEFAULT_TABS } from './tabs.ts';
import { createUploads, sendFile } from './uploads.ts';

const apiKey = createApiKey();
const endpoint = { url: '/graphql', apiKey };
const fetcher = createFetcher(endpoint);
const uploads = createUploads({ ask: (params) => ask(endpoint, params), send: sendFile });
const plugins = [...createPanels({ uploads, apiKey }), HISTORY_PLUGIN];

/** The whole page. Headers are not stored: they may hold a key. */
export function Console() {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={plugins}
      defaultTabs={DEFAULT_TABS}
      defaultEditorToolsVisibility="variables"
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>Anneal</GraphiQL.Logo>
    </GraphiQL>
  );
}
