/** The journey as GraphiQL's default tabs: one step each, from a data set's name to the traffic of a version. */

/**
 * What a tab opens with; values in <angle brackets> come from an earlier step. Lines of a query have 50 columns at
 * most: that is what its editor shows in a window of 1280.
 */
export interface Tab {
  query: string;
  variables: Record<string, unknown>;
}

const createDataset: Tab = {
  query: `# Step 1 of 8. A data set is a name;
# its versions hold the rows.
# Run it (Ctrl-Enter), keep dataset.id for step 3.
mutation CreateDataset(
  $input: CreateDatasetInput!
) {
  createDataset(input: $input) {
    dataset { id name }
    userErrors { code field message }
  }
}
`,
  variables: { input: { name: 'flowers', description: 'My first data set' } },
};

const stageUpload: Tab = {
  query: `# Step 2 of 8. The Upload panel (arrow, far left)
# does this and sends the file: choose a CSV or
# JSONL file there, copy its token for step 3.
#
# By hand: run this, then, with one -H per header,
# curl -T flowers.csv -H '<name>: <value>' '<url>'
mutation StageUpload(
  $input: StageUploadInput!
) {
  stageUpload(input: $input) {
    upload {
      url method
      headers { name value }
      token expiresAt
    }
    userErrors { code field message }
  }
}
`,
  variables: { input: { filename: 'flowers.csv', byteLength: 4551, mediaType: 'text/csv' } },
};

const commitDatasetVersion: Tab = {
  query: `# Step 3 of 8. Parses the file once, splits it in
# train, validation and test, and fixes all of it
# under a digest. target: a column name, or LAST.
# Keep datasetVersion.id for step 4.
mutation CommitDatasetVersion(
  $input: CommitDatasetVersionInput!
) {
  commitDatasetVersion(input: $input) {
    datasetVersion {
      id number digest rowCount
      columns { name kind }
    }
    userErrors { code field message }
  }
}
`,
  variables: {
    input: {
      datasetId: '<dataset.id of step 1>',
      uploadTokens: ['<token of the Upload panel>'],
      format: 'CSV',
      target: 'LAST',
    },
  },
};

const createExperiment: Tab = {
  query: `# Step 4 of 8. Asks a question of the data;
# a trainer answers it by a run. All that is left
# out has a sensible default. Try also
#   "architecture": { "mlp": { "hidden": [64] } },
#   "budget": { "maxEpochs": 50 }
# Keep the run's id for step 5.
mutation CreateExperiment(
  $input: CreateExperimentInput!
) {
  createExperiment(input: $input) {
    experiment {
      id
      runs { nodes { id status } }
    }
    userErrors { code field message }
  }
}
`,
  variables: {
    input: { name: 'first try', datasetVersionId: '<datasetVersion.id of step 3>', modelName: 'flowers', seed: 1 },
  },
};

const watchRun: Tab = {
  query: `# Step 5 of 8. RunUpdated follows the run live,
# Run reads it once. The play button asks which;
# Ctrl-Enter runs the one under the cursor.
subscription RunUpdated($run: ID!) {
  runUpdated(runId: $run) {
    status progress
    error
    modelVersion { id number }
  }
}

query Run($run: ID!) {
  run(id: $run) {
    status attempt engine progress
    error
    metrics(points: 20) {
      name
      points { step value }
    }
    modelVersion { id number }
  }
}
`,
  variables: { run: '<run id of step 4>' },
};

const f1ByVersion: Tab = {
  query: `# Step 6 of 8. F1 by version on held-out rows, by
# the bytes and the runtime that serve your users.
# Repeat steps 4 and 5 with another seed to get
# version 2. Keep a version's id for step 7.
query F1ByVersion($model: String!) {
  model(name: $model) {
    versions(first: 10) {
      nodes {
        id number digest
        evaluation(source: HOLDOUT) {
          n
          accuracy { value low high }
          f1(average: MACRO) { value low high n }
          perClass {
            label precision recall f1 support
          }
          confusionMatrix { labels counts }
        }
      }
    }
  }
}
`,
  variables: { model: 'flowers' },
};

const deploy: Tab = {
  query: `# Step 7 of 8. Points an endpoint at a version;
# answers when the edge has it. Then predict, with
# the columns of your file and your key:
#
# curl '<url>' \\
#   -H 'authorization: Bearer <key>' \\
#   -H 'content-type: application/json' \\
#   -d '{"instances": [{"petal_length": 1.4}]}'
mutation Deploy($input: DeployInput!) {
  deploy(input: $input) {
    endpoint { name url revision }
    userErrors { code field message }
  }
}
`,
  variables: {
    input: { endpoint: 'flowers', variants: [{ modelVersionId: '<version id of step 6>', weight: 100 }] },
  },
};

const traffic: Tab = {
  query: `# Step 8 of 8. What the version did at the edge in
# the last hour, beside what it promised.
query Traffic($version: ID!) {
  modelVersion(id: $version) {
    number
    traffic(window: { last: "1h" }) {
      requests errors
      latency { p50 p95 p99 }
    }
    evaluation(source: HOLDOUT) {
      f1(average: MACRO) { value low high }
    }
  }
}
`,
  variables: { version: '<version id of step 6>' },
};

/** In the order of the journey. */
export const TABS: readonly Tab[] = [
  createDataset,
  stageUpload,
  commitDatasetVersion,
  createExperiment,
  watchRun,
  f1ByVersion,
  deploy,
  traffic,
];

/** The tabs as GraphiQL takes them: variables are text. */
export const DEFAULT_TABS = TABS.map((tab) => ({
  query: tab.query,
  variables: JSON.stringify(tab.variables, null, 2),
}));

/**
 * Lets the first tab open with its variables. On a first visit GraphiQL shows the variables it finds in its storage,
 * not those of the first default tab; so they are put there. Call it before GraphiQL is drawn.
 */
export function seedFirstTab(storage: Pick<Storage, 'getItem' | 'setItem'>): void {
  const first = DEFAULT_TABS[0];
  if (!first || storage.getItem('graphiql:tabState') !== null) return;
  storage.setItem('graphiql:query', first.query);
  storage.setItem('graphiql:variables', first.variables);
}
