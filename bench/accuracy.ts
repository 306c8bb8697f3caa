/**
 * Accuracy on published data sets, through the public operations, next to the reference of DATASETS.md. Without an
 * argument: tables with the defaults, minutes. `networks`: images and sequences, up to an hour. Or one row's name.
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
  upload,
} from '../examples/client.ts';
import { startStack } from '../test/testkit/stack.ts';
import { type Data, NETWORKS, TABLES } from './accuracy-data.ts';

const SCORE = `query ($id: ID!) {
  modelVersion(id: $id) {
    evaluation(source: HOLDOUT) { n accuracy { value } f1(average: MACRO) { value } r2 { value } }
  }
}`;
type Estimate = { value: number } | null;
interface Scored {
  modelVersion: { evaluation: { n: number; accuracy: Estimate; f1: Estimate; r2: Estimate } };
}

async function commitData(to: Connection, data: Data): Promise<string> {
  const uploadTokens: string[] = [];
  for (const { filename, bytes } of data.files) uploadTokens.push(await upload(to, filename, bytes()));
  const datasetId = await createDataset(to, data.name);
  return (await commit(to, { datasetId, uploadTokens, ...data.commit })).id;
}

/** From mutation to an answer of the edge; accuracy or R2, macro F1, seconds. */
async function measure(to: Connection, data: Data, datasetVersionId: string, seed: number) {
  const started = performance.now();
  const { name, experiment = {} } = data;
  const run = await createExperiment(to, { name, datasetVersionId, modelName: name, seed, ...experiment });
  const version = await finished(to, run);
  const endpoint = name.replaceAll('_', '-');
  await deploy(to, endpoint, version.id);
  const seconds = (performance.now() - started) / 1000;
  if (data.instance) await predict(to, endpoint, [data.instance]);
  const { modelVersion } = await graphql<Scored>(to, SCORE, { id: version.id });
  const { accuracy, f1, r2, n } = modelVersion.evaluation;
  return { score: (accuracy ?? r2)?.value ?? Number.NaN, f1: f1?.value, n, seconds };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function chosen(argument: string | undefined): Data[] {
  if (argument === undefined) return TABLES;
  return argument === 'networks' ? NETWORKS : [...TABLES, ...NETWORKS].filter(({ name }) => name === argument);
}

const stack = await startStack();
let missed = 0;
try {
  console.log('| data set | n | accuracy or R2 (median over seeds) | all seeds | macro F1 | reference | bar | s/run |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const data of chosen(process.argv[2])) {
    const version = await commitData(stack.connection, data);
    const runs = [];
    for (const seed of data.seeds) runs.push(await measure(stack.connection, data, version, seed));
    const score = median(runs.map((run) => run.score));
    if (!(data.above === false ? score <= data.bar : score >= data.bar)) missed += 1;
    const f1 = runs[0]?.f1 === undefined ? '-' : median(runs.map((run) => run.f1 ?? Number.NaN)).toFixed(3);
    const each = runs.map((run) => run.score.toFixed(3)).join(' ');
    const seconds = median(runs.map((run) => run.seconds)).toFixed(1);
    const cells = [
      data.name,
      runs[0]?.n,
      score.toFixed(3),
      each,
      f1,
      data.reference?.toFixed(3) ?? '-',
      data.bar,
      seconds,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  await stack.stop();
}
console.log(missed ? `${missed} below the bar` : 'all bars reached');
process.exitCode = missed ? 1 : 0;
