/**
 * Accuracy of the defaults on published data sets, through the public operations, next to the reference of DATASETS.md.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  type Connection,
  commit,
  createDataset,
  createExperiment,
  deploy,
  finished,
  graphql,
  upload,
} from '../examples/client.ts';
import { sharedPath } from '../test/shared.ts';
import { startStack } from '../test/testkit/stack.ts';

const MOD5 = { testEvery: 5 };
/** bar: what the median of seeds 1 to 5 must reach; reference: scikit-learn's default MLP on the same split. */
const DATA = [
  { name: 'iris', files: ['iris/iris.csv'], target: 'species', split: MOD5, bar: 0.93, reference: 0.967 },
  {
    name: 'breast_cancer_wdbc',
    files: ['breast_cancer_wdbc/breast_cancer_wdbc.csv'],
    target: 'diagnosis',
    split: MOD5,
    bar: 0.96,
    reference: 0.991,
  },
  { name: 'titanic', files: ['titanic/titanic.csv'], target: 'Survived', split: MOD5, bar: 0.8, reference: 0.872 },
  { name: 'wine', files: ['wine/wine.csv'], target: 'cultivar', split: MOD5, bar: 0.94, reference: 1.0 },
  {
    name: 'adult',
    files: ['adult/adult_train.csv.gz', 'adult/adult_test.csv.gz'],
    target: 'income',
    split: { files: ['TRAIN', 'TEST'] },
    columns: [
      {
        name: 'income',
        values: [
          { from: '<=50K.', to: '<=50K' },
          { from: '>50K.', to: '>50K' },
        ],
      },
    ],
    bar: 0.845,
    reference: 0.855,
  },
  {
    name: 'california_housing',
    files: ['california_housing/california_housing.csv.gz'],
    target: 'medianHouseValue',
    split: MOD5,
    bar: 0.78,
    reference: 0.799,
  },
];
type Data = (typeof DATA)[number];
const SEEDS = [1, 2, 3, 4, 5];

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
  for (const file of data.files) {
    const found = sharedPath(`data/${file}`);
    if (!found) throw new Error(`the shared data set ${file} is absent: this bench needs it`);
    uploadTokens.push(await upload(to, path.basename(file), new Uint8Array(readFileSync(found))));
  }
  const { target, split, columns } = data;
  const datasetId = await createDataset(to, data.name);
  return (await commit(to, { datasetId, uploadTokens, format: 'CSV', target, split, columns })).id;
}

/** From mutation to an answer of the edge; accuracy or R2, macro F1, seconds. */
async function measure(to: Connection, data: Data, datasetVersionId: string, seed: number) {
  const started = performance.now();
  const run = await createExperiment(to, { name: data.name, datasetVersionId, modelName: data.name, seed });
  const version = await finished(to, run);
  const endpoint = data.name.replaceAll('_', '-');
  await deploy(to, endpoint, version.id);
  const seconds = (performance.now() - started) / 1000;
  const { modelVersion } = await graphql<Scored>(to, SCORE, { id: version.id });
  const { accuracy, f1, r2, n } = modelVersion.evaluation;
  return { score: (accuracy ?? r2)?.value ?? Number.NaN, f1: f1?.value, n, seconds };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const stack = await startStack();
let missed = 0;
try {
  console.log(
    '| data set | n | accuracy or R2 (median of seeds 1-5) | all seeds | macro F1 | reference | bar | s/run |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  const only = process.argv[2];
  for (const data of DATA.filter(({ name }) => !only || name === only)) {
    const version = await commitData(stack.connection, data);
    const runs = [];
    for (const seed of SEEDS) runs.push(await measure(stack.connection, data, version, seed));
    const score = median(runs.map((run) => run.score));
    if (!(score >= data.bar)) missed += 1;
    const f1 = runs[0]?.f1 === undefined ? '-' : median(runs.map((run) => run.f1 ?? Number.NaN)).toFixed(3);
    const each = runs.map((run) => run.score.toFixed(3)).join(' ');
    const seconds = median(runs.map((run) => run.seconds)).toFixed(1);
    const cells = [data.name, runs[0]?.n, score.toFixed(3), each, f1, data.reference.toFixed(3), data.bar, seconds];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  await stack.stop();
}
console.log(missed ? `${missed} below the bar` : 'all bars reached');
process.exitCode = missed ? 1 : 0;
