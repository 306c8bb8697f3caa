/**
 * The quick start of `npm start`: one network, two ways to train it, measured on rows that neither has seen.
 * Version 1 is the article's recipe taken literally; version 2 gives the same network what it needs. See
 * docs/quickstart.md.
 */
import {
  type Connection,
  commit,
  createDataset,
  createExperiment,
  deploy,
  finished,
  graphql,
  predict,
  type Run,
  upload,
} from './client.ts';
import { instance, simulated } from './quickstart-data.ts';

const { ANNEAL_API, ANNEAL_EDGE, ANNEAL_KEY } = process.env;
if (!ANNEAL_API || !ANNEAL_EDGE || !ANNEAL_KEY)
  throw new Error('set ANNEAL_API, ANNEAL_EDGE and ANNEAL_KEY (stack.json)');
const to: Connection = { api: ANNEAL_API, edge: ANNEAL_EDGE, key: ANNEAL_KEY };
const say = (text: string) => process.stdout.write(`${text}\n`);

const MODEL = 'quickstart';
const TEST_ROWS = 2000;
const NETWORK = { architecture: { mlp: { hidden: [64] } }, modelName: MODEL, seed: 1 };

const RECIPES = [
  {
    name: 'version 1: 200 rows, full batch, SGD 0.01, 100 epochs',
    rows: 200,
    experiment: {
      ...NETWORK,
      name: 'quickstart-literal',
      preprocessing: 'NONE',
      hyperparameters: { optimizer: 'SGD', learningRate: 0.01, batchSize: null },
      budget: { maxEpochs: 100, patience: null },
    },
  },
  {
    name: 'version 2: 10,000 rows, standardised, AdamW 0.001, batches of 64, 20 epochs',
    rows: 10_000,
    experiment: {
      ...NETWORK,
      name: 'quickstart-better',
      hyperparameters: { optimizer: 'ADAMW', learningRate: 0.001, batchSize: 64 },
      budget: { maxEpochs: 20, patience: null },
    },
  },
];

/** A progress bar on one line of a terminal; in a pipe, a line per quarter. */
function progressBar(label: string): (run: Run) => void {
  let last = -1;
  return ({ progress, status }) => {
    const share = status === 'SUCCEEDED' ? 1 : progress;
    const bar = `  ${label}  [${'#'.repeat(Math.round(share * 20)).padEnd(20, '.')}] ${Math.round(share * 100)} %`;
    if (process.stdout.isTTY) process.stdout.write(`\r${bar}${share === 1 ? '\n' : ''}`);
    else if (Math.floor(share * 4) > last) say(bar);
    last = Math.max(last, Math.floor(share * 4));
  };
}

const VERSIONS = `query ($name: String!) {
  model(name: $name) {
    versions(first: 10) {
      nodes { id number evaluation(source: HOLDOUT) { f1(average: MACRO) { value low high n } } }
    }
  }
}`;
interface Version {
  id: string;
  number: number;
  evaluation: { f1: { value: number; low: number; high: number; n: number } } | null;
}
async function versions(): Promise<Version[]> {
  const { model } = await graphql<{ model: { versions: { nodes: Version[] } } | null }>(to, VERSIONS, { name: MODEL });
  return model?.versions.nodes ?? [];
}

async function train(): Promise<void> {
  say('Quick start: a 100-64-1 network tells two classes apart that differ only in variance.');
  const datasetId = await createDataset(to, MODEL, MODEL);
  const fresh = await upload(to, 'fresh.csv', simulated(TEST_ROWS, 7));
  let newest = '';
  for (const { name, rows, experiment } of RECIPES) {
    say(`  ${name}`);
    const version = await commit(to, {
      datasetId,
      uploadTokens: [await upload(to, `train-${rows}.csv`, simulated(rows, rows)), fresh],
      format: 'CSV',
      target: 'class',
      split: { files: ['TRAIN', 'TEST'], validation: 0 },
    });
    // with its key, a quick start that was interrupted goes on with the run that it began
    const idempotencyKey = experiment.name;
    const run = await createExperiment(to, { ...experiment, datasetVersionId: version.id, idempotencyKey });
    newest = (await finished(to, run, progressBar('training'))).id;
  }
  await deploy(to, MODEL, newest);
}

if ((await versions()).length < RECIPES.length) await train();

say('\nF1 by version (macro, on rows that training never saw, computed by the edge runtime):');
for (const { number, evaluation } of (await versions()).toReversed()) {
  if (!evaluation) continue;
  const { value, low, high, n } = evaluation.f1;
  say(`  ${MODEL} v${number}   F1 ${value.toFixed(3)}   95% interval ${low.toFixed(3)} to ${high.toFixed(3)}   n ${n}`);
}
const answer = await predict(to, MODEL, [instance('wide', 11)]);
const [first] = answer.predictions;
say(`\nEdge prediction (one row of class "wide"):`);
say(
  `  ${to.edge}/v1/endpoints/${MODEL}/predict -> v${answer.version} "${first?.label}", ` +
    `score ${first?.score?.toFixed(4)}`,
);
