/**
 * The whole journey from a CSV to an edge prediction and F1 by version, over fetch alone:
 *   eval "$(npm run -s env)"; node examples/journey.ts <file.csv> <target column>
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { commit, createDataset, createExperiment, deploy, finished, graphql, predict, upload } from './client.ts';

const [file, target] = process.argv.slice(2);
const { API: api, EDGE: edge, KEY: key } = process.env;
if (!file || !target || !api || !edge || !key) {
  console.error('usage: eval "$(npm run -s env)"; node examples/journey.ts <file.csv> <target column>');
  process.exit(1);
}
const to = { api, edge, key };
const name = path
  .basename(file)
  .replace(/\..*$/, '')
  .toLowerCase()
  .replaceAll(/[^a-z0-9]+/g, '-');

const token = await upload(to, path.basename(file), new Uint8Array(await readFile(file)));
const version = await commit(to, {
  datasetId: await createDataset(to, name),
  uploadTokens: [token],
  format: 'CSV',
  target,
});
console.log(`dataset version ${version.number}: ${version.rowCount} rows, digest ${version.digest.slice(0, 12)}`);
for (const finding of version.findings) console.log(`  ${finding.code}: ${finding.message}`);

const run = await createExperiment(to, { name, modelName: name, datasetVersionId: version.id });
const model = await finished(to, run, ({ status, progress }) =>
  console.log(`${status} ${Math.round(progress * 100)} %`),
);
const endpoint = await deploy(to, name, model.id);
console.log(`version ${model.number} serves at ${endpoint.url}`);

const { modelVersion } = await graphql<{
  modelVersion: { evaluation: unknown; manifest: { columns: { name: string }[] } };
}>(
  to,
  `query ($id: ID!) { modelVersion(id: $id) { manifest evaluation(source: HOLDOUT) {
    n accuracy { value low high } f1(average: MACRO) { value low high } rmse { value } r2 { value }
  } } }`,
  { id: model.id },
);
console.log(JSON.stringify(modelVersion.evaluation));

// a row of which nothing is known: every column must be there, null means missing
const unknown = Object.fromEntries(modelVersion.manifest.columns.map((column) => [column.name, null]));
console.log(JSON.stringify(await predict(to, name, [unknown]), null, 2));
