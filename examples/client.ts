/**
 * A small client of Anneal over fetch alone: GraphQL, uploads, waiting for a run, predicting, feedback. Copy it, or
 * learn from it.
 */

/** Where the stack is and what opens it: from the environment, or from the stack.json that `npm start` writes. */
export interface Connection {
  /** URL that takes GraphQL POSTs. */
  api: string;
  /** Base URL of the edge. */
  edge: string;
  key: string;
}

export interface UserError {
  code: string;
  field: string[] | null;
  message: string;
}
type Payload = { userErrors?: UserError[] } | null;

/** Sends a document; throws on errors and on userErrors, naming both. */
export async function graphql<Data>(to: Connection, query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(to.api, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${to.key}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: { message: string }[] };
  if (errors?.length) throw new Error(errors.map((error) => error.message).join('\n'));
  const failures = Object.values(data as Record<string, Payload>).flatMap((payload) => payload?.userErrors ?? []);
  if (failures.length)
    throw new Error(failures.map((f) => `${f.code} ${f.field?.join('.') ?? ''}: ${f.message}`).join('\n'));
  return data;
}

const STAGE = `mutation ($input: StageUploadInput!) {
  stageUpload(input: $input) {
    upload { url method headers { name value } token }
    userErrors { code field message }
  }
}`;
interface Staged {
  stageUpload: { upload: { url: string; method: string; headers: { name: string; value: string }[]; token: string } };
}

/** Stages a file, sends its bytes to the signed URL, and returns the token that stands for it. */
export async function upload(to: Connection, filename: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const input = { filename, byteLength: String(bytes.byteLength), mediaType: 'text/csv' };
  const { stageUpload } = await graphql<Staged>(to, STAGE, { input });
  const { url, method, headers, token } = stageUpload.upload;
  const sent = await fetch(url, {
    method,
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    body: bytes,
  });
  if (!sent.ok) throw new Error(`the upload of ${filename} failed: ${sent.status} ${await sent.text()}`);
  return token;
}

const CREATE = `mutation ($input: CreateDatasetInput!) {
  createDataset(input: $input) { dataset { id } userErrors { code field message } }
}`;
const COMMIT = `mutation ($input: CommitDatasetVersionInput!) {
  commitDatasetVersion(input: $input) {
    datasetVersion { id number digest rowCount findings { code message } }
    userErrors { code field message }
  }
}`;
export interface DatasetVersion {
  id: string;
  number: number;
  digest: string;
  rowCount: number;
  findings: { code: string; message: string }[];
}

/** Creates a dataset; repeated with the same idempotencyKey it answers with the first one. */
export async function createDataset(to: Connection, name: string, idempotencyKey?: string): Promise<string> {
  const input = { name, idempotencyKey };
  const made = await graphql<{ createDataset: { dataset: { id: string } } }>(to, CREATE, { input });
  return made.createDataset.dataset.id;
}

/** Commits uploaded files as an immutable version of the dataset. */
export async function commit(to: Connection, input: object): Promise<DatasetVersion> {
  const made = await graphql<{ commitDatasetVersion: { datasetVersion: DatasetVersion } }>(to, COMMIT, { input });
  return made.commitDatasetVersion.datasetVersion;
}

const EXPERIMENT = `mutation ($input: CreateExperimentInput!) {
  createExperiment(input: $input) {
    experiment { id runs { nodes { id status } } }
    userErrors { code field message }
  }
}`;
interface Created {
  createExperiment: { experiment: { id: string; runs: { nodes: { id: string }[] } } };
}

/** Creates an experiment and returns the id of its run. */
export async function createExperiment(to: Connection, input: object): Promise<string> {
  const { createExperiment: made } = await graphql<Created>(to, EXPERIMENT, { input });
  const run = made.experiment.runs.nodes[0];
  if (!run) throw new Error('the experiment has no run');
  return run.id;
}

const RUN = `query ($id: ID!) {
  run(id: $id) { status attempt progress error modelVersion { id number } }
}`;
export interface Run {
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED';
  attempt: number;
  progress: number;
  error: string | null;
  modelVersion: { id: string; number: number } | null;
}

/** How often a waiting client asks; a page would use the subscription `runUpdated` instead. */
const POLL_MS = 100;

/** Waits until the run has ended, telling of its progress; throws when it did not succeed. */
export async function finished(to: Connection, id: string, progress: (run: Run) => void = () => {}) {
  for (;;) {
    const { run } = await graphql<{ run: Run }>(to, RUN, { id });
    progress(run);
    if (run.modelVersion && run.status === 'SUCCEEDED') return run.modelVersion;
    if (run.status === 'FAILED' || run.status === 'CANCELED')
      throw new Error(`the run ended ${run.status}: ${run.error ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const DEPLOY = `mutation ($input: DeployInput!) {
  deploy(input: $input) { endpoint { name url revision } userErrors { code field message } }
}`;
export interface Endpoint {
  name: string;
  url: string;
  revision: number;
}

/** Points the endpoint at one version; returns when the edge serves it. */
export async function deploy(to: Connection, endpoint: string, modelVersionId: string): Promise<Endpoint> {
  const input = { endpoint, variants: [{ modelVersionId, weight: 1 }] };
  return (await graphql<{ deploy: { endpoint: Endpoint } }>(to, DEPLOY, { input })).deploy.endpoint;
}

export interface Prediction {
  id: string;
  label?: string;
  score?: number;
  probabilities?: Record<string, number>;
  value?: number;
}
export interface Answer {
  endpoint: string;
  model: string;
  version: number;
  predictions: Prediction[];
}

/** Asks the edge for predictions of up to 1,000 rows. */
export async function predict(to: Connection, endpoint: string, instances: object[]): Promise<Answer> {
  const response = await fetch(`${to.edge}/v1/endpoints/${endpoint}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${to.key}` },
    body: JSON.stringify({ instances }),
  });
  const body = (await response.json()) as Answer & { error?: { code: string; message: string } };
  if (!response.ok) throw new Error(`${response.status} ${body.error?.code}: ${body.error?.message}`);
  return body;
}

/** Says what was true of predictions, up to 1,000; twice is once, and of different labels the last one counts. */
export async function feedback(to: Connection, endpoint: string, labels: { id: string; label: unknown }[]) {
  const response = await fetch(`${to.edge}/v1/endpoints/${endpoint}/feedback`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${to.key}` },
    body: JSON.stringify({ feedback: labels }),
  });
  const body = (await response.json()) as { accepted: number; error?: { code: string; message: string } };
  if (!response.ok) throw new Error(`${response.status} ${body.error?.code}: ${body.error?.message}`);
  return body.accepted;
}
