/** Who is measured with which requests: for every case the same bytes go to all that understand them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLIENT_KEY } from '../../apps/edge/test/stand.ts';
import type { BareJob } from './bare.ts';
import { type BenchEdge, serveModel } from './edge-stand.ts';
import { IMAGE, type ImageModel, type TabularModel } from './models.ts';
import type { NativeJob } from './native.ts';
import { startChild } from './process.ts';

export type SubjectName = 'echo' | 'buffered' | 'durable' | 'native';
export const SUBJECTS: Record<SubjectName, string> = {
  echo: 'echo Worker',
  buffered: 'Anneal, BUFFERED',
  durable: 'Anneal, DURABLE',
  native: 'Node + onnxruntime-node',
};

/** A request, and where it goes for each subject. */
export interface Case {
  name: string;
  batch: number;
  body: Buffer;
  headers: Record<string, string>;
  urls: Partial<Record<SubjectName, string>>;
  pids: Record<SubjectName, number>;
  /** The same rows for the bare runtime. */
  bare: Omit<BareJob, 'ms'>;
}

interface Edges {
  ours: BenchEdge;
  echo: BenchEdge;
}

const JSON_HEADERS = { 'content-type': 'application/json', authorization: `Bearer ${CLIENT_KEY}` };
const folder = mkdtempSync(path.join(tmpdir(), 'anneal-bench-models-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** The native peer of a model. */
async function startNative(name: string, bytes: Uint8Array, job: NativeJob) {
  const file = path.join(folder, `${slug(name)}.onnx`);
  writeFileSync(file, bytes);
  const { child, ask } = startChild('native.ts', [file, JSON.stringify(job)]);
  return { file, child, port: await ask<number>({}), pid: child.pid ?? 0 };
}

/** Rows by column name. */
export async function tabularCases(edges: Edges, model: TabularModel, batches: readonly number[]) {
  const name = slug(model.name);
  const inputs = model.manifest.inputs.map((input) => {
    const columns = 'columns' in input ? input.columns : [input.column];
    return { name: input.name, type: input.type, columns };
  });
  const classes = model.manifest.classes ?? [];
  const native = await startNative(model.name, model.bytes, { kind: 'rows', inputs, classes });
  await serveModel(edges.ours.url, `${name}-buffered`, model, 'BUFFERED');
  await serveModel(edges.ours.url, `${name}-durable`, model, 'DURABLE');
  const predict = (events: string) => `${edges.ours.url}/v1/endpoints/${name}-${events}/predict`;
  const cases = batches.map((batch): Case => {
    const rows = model.rows(batch);
    const feeds = inputs.map(({ name, type, columns }): BareJob['feeds'][number] => ({
      name,
      type: type === 'double' ? 'float64' : 'string',
      dims: [batch, columns.length],
      data: rows.flatMap((row) => columns.map((column) => row[column] ?? '')),
    }));
    return {
      name: `${model.name} (${inputs.flatMap(({ columns }) => columns).length} columns)`,
      batch,
      body: Buffer.from(JSON.stringify({ instances: rows })),
      headers: JSON_HEADERS,
      urls: {
        echo: `${edges.echo.url}/json`,
        buffered: predict('buffered'),
        durable: predict('durable'),
        native: `http://127.0.0.1:${native.port}/`,
      },
      pids: { echo: edges.echo.pid, buffered: edges.ours.pid, durable: edges.ours.pid, native: native.pid },
      bare: { file: native.file, feeds },
    };
  });
  return { cases, child: native.child };
}

/** Images as tensors of the Open Inference Protocol: as JSON, and as bytes behind a JSON header. */
export async function imageCases(edges: Edges, model: ImageModel, batches: readonly number[]) {
  const native = await startNative(model.name, model.bytes, { kind: 'images', classes: [], inputs: [] });
  await serveModel(edges.ours.url, 'images', model, 'BUFFERED');
  const infer = `${edges.ours.url}/v2/models/images/infer`;
  const pids = { echo: edges.echo.pid, buffered: edges.ours.pid, durable: edges.ours.pid, native: native.pid };
  const cases = batches.flatMap((batch): Case[] => {
    const pixels = model.pixels(batch);
    const shape = [batch, ...IMAGE.shape];
    const input = { name: IMAGE.input, datatype: 'FP32', shape };
    const data = Array.from(pixels, (pixel) => Math.round(pixel * 1000) / 1000);
    const bare = { file: native.file, feeds: [{ name: IMAGE.input, type: 'float32' as const, dims: shape, data }] };
    const bytes = Buffer.from(pixels.buffer);
    const described = { ...input, parameters: { binary_data_size: bytes.byteLength } };
    const head = Buffer.from(JSON.stringify({ inputs: [described], parameters: { binary_data_output: true } }));
    return [
      {
        ...{ name: 'CNN (1x28x28), /v2 JSON', batch, headers: JSON_HEADERS, pids, bare },
        body: Buffer.from(JSON.stringify({ inputs: [{ ...input, data }] })),
        urls: { echo: `${edges.echo.url}/json`, buffered: infer, native: `http://127.0.0.1:${native.port}/` },
      },
      {
        ...{ name: 'CNN (1x28x28), /v2 binary', batch, pids, bare },
        body: Buffer.concat([head, bytes]),
        headers: { ...JSON_HEADERS, 'inference-header-content-length': String(head.byteLength) },
        urls: { echo: `${edges.echo.url}/bytes`, buffered: infer },
      },
    ];
  });
  return { cases, child: native.child };
}

/** As an endpoint may be called. */
function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}
