/**
 * Inference by the Open Inference Protocol v2 over fetch alone, with tensors as bytes, for any endpoint of columns:
 *   eval "$(npm run -s env)"; node examples/infer.ts <endpoint> [rows]
 * It asks for the model's metadata, sends rows of which nothing is known, and prints the first of the answer.
 */

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  parameters?: { binary_data_size: number };
}

const [endpoint, rows = '3'] = process.argv.slice(2);
const { EDGE: edge, KEY: key } = process.env;
if (!endpoint || !edge || !key) {
  console.error('usage: eval "$(npm run -s env)"; node examples/infer.ts <endpoint> [rows]');
  process.exit(1);
}
const headers = { authorization: `Bearer ${key}` };

const model = `${edge}/v2/models/${endpoint}`;
const { inputs } = (await answer(await fetch(model, { headers })).json()) as { inputs: Tensor[] };
console.log(inputs.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape}]`).join(', '));

// JSON first, then each tensor's bytes in the same order: NaN is a missing number, "" a missing text
const count = Number(rows);
const parts = inputs.map(({ datatype }) =>
  datatype === 'BYTES' ? new Uint8Array(4 * count) : new Uint8Array(new Float64Array(count).fill(Number.NaN).buffer),
);
const request = new TextEncoder().encode(
  JSON.stringify({
    id: 'infer-1',
    parameters: { binary_data_output: true },
    inputs: inputs.map(({ name, datatype }, i) => ({
      name,
      datatype,
      shape: [count, 1],
      parameters: { binary_data_size: parts[i]?.byteLength },
    })),
  }),
);
const response = answer(
  await fetch(`${model}/infer`, {
    method: 'POST',
    headers: { ...headers, 'inference-header-content-length': String(request.byteLength) },
    body: new Blob([request, ...parts]),
  }),
);

const bytes = await response.arrayBuffer();
let at = Number(response.headers.get('inference-header-content-length'));
const said = JSON.parse(new TextDecoder().decode(bytes.slice(0, at))) as {
  model_name: string;
  model_version: string;
  parameters: { anneal_prediction_id: string };
  outputs: Tensor[];
};
console.log(`${said.model_name} version ${said.model_version}, prediction ${said.parameters.anneal_prediction_id}.0`);
for (const { name, datatype, shape, parameters } of said.outputs) {
  const size = parameters?.binary_data_size ?? 0;
  const part = bytes.slice(at, at + size);
  at += size;
  const first = datatype === 'FP32' ? [...new Float32Array(part).slice(0, shape[1] ?? 1)] : firstText(part);
  console.log(`${name} ${datatype}[${shape}]: ${first}`);
}

function answer(response: Response): Response {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response;
}

/** BYTES: four bytes of length, then the text. */
function firstText(part: ArrayBuffer): string {
  return new TextDecoder().decode(part.slice(4, 4 + new DataView(part).getUint32(0, true)));
}
