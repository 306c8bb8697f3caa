/**
 * The peer that a Node developer writes: node:http and onnxruntime-node, JSON -> tensors -> run -> JSON, no checks, no
 * keys, no events. One thread, as workerd has. Arguments: model file, job as JSON. Tells its port.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadNative, type NativeTensor } from './onnx-native.ts';

interface Answer {
  predictions: { label: string; score: number; probabilities: Record<string, number> }[];
}

/** What of the manifest such a server has to know. */
export interface NativeJob {
  kind: 'rows' | 'images';
  classes: string[];
  inputs: { name: string; type: string; columns: string[] }[];
}

const [file = '', job = ''] = process.argv.slice(2);
const { session, Tensor } = await loadNative(readFileSync(file));
const { kind, classes: labels, inputs }: NativeJob = JSON.parse(job);

/** {"instances":[{column: value}]}: columns side by side in the model's inputs. */
async function rows(body: Buffer): Promise<string> {
  const { instances }: { instances: Record<string, string | number>[] } = JSON.parse(body.toString('utf8'));
  const feeds: Record<string, NativeTensor> = {};
  for (const { name, type, columns } of inputs) {
    const cells = instances.flatMap((row) => columns.map((column) => row[column] ?? ''));
    const dims = [instances.length, columns.length];
    feeds[name] =
      type === 'double'
        ? new Tensor('float64', Float64Array.from(cells, Number), dims)
        : new Tensor('string', cells.map(String), dims);
  }
  const { probabilities } = await session.run(feeds);
  const data = probabilities?.data as Float32Array;
  const answer: Answer = { predictions: instances.map((_, i) => prediction(data, i)) };
  return JSON.stringify(answer);
}

function prediction(data: Float32Array, row: number): Answer['predictions'][number] {
  const scores = labels.map((_, c) => data[row * labels.length + c] ?? 0);
  const best = scores.indexOf(Math.max(...scores));
  const probabilities = Object.fromEntries(labels.map((label, c) => [label, scores[c] ?? 0]));
  return { label: labels[best] ?? '', score: scores[best] ?? 0, probabilities };
}

/** The protocol's JSON with one input of images. */
async function images(body: Buffer): Promise<string> {
  const { inputs } = JSON.parse(body.toString('utf8'));
  const { name, shape, data } = inputs[0];
  const outputs = await session.run({ [name]: new Tensor('float32', Float32Array.from(data), shape) });
  return JSON.stringify({
    outputs: Object.entries(outputs).map(([output, tensor]) => ({
      ...{ name: output, datatype: 'FP32', shape: tensor.dims, data: [...(tensor.data as Float32Array)] },
    })),
  });
}

const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.once('end', async () => {
    const text = await (kind === 'rows' ? rows : images)(Buffer.concat(chunks));
    response.setHeader('content-type', 'application/json');
    response.end(text);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address() as AddressInfo;
  process.send?.({ measured: address.port });
});
