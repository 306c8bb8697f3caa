/**
 * onnxruntime-web's own session.run in Node, without HTTP, JSON or anything of this project: what is left to gain. A
 * message is { model (a file), feeds, ms }, its answer microseconds of clock and of CPU per run.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadNative, type NativeTensor } from './onnx-native.ts';

export interface BareJob {
  file: string;
  feeds: { name: string; type: 'float32' | 'float64' | 'string'; dims: number[]; data: (number | string)[] }[];
  ms: number;
}
export interface BareMeasured {
  clockUs: number;
  cpuUs: number;
}

createRequire(import.meta.url)('onnxruntime-web').env.wasm.numThreads = 1;

const loaded = new Map<string, ReturnType<typeof loadNative>>();

function arrayOf(type: BareJob['feeds'][number]['type'], data: (number | string)[]) {
  if (type === 'string') return data;
  return type === 'float32' ? Float32Array.from(data, Number) : Float64Array.from(data, Number);
}

async function run({ file, feeds, ms }: BareJob): Promise<BareMeasured> {
  const known = loaded.get(file) ?? loadNative(readFileSync(file), 'onnxruntime-web');
  loaded.set(file, known);
  const { session, Tensor } = await known;
  const tensors: Record<string, NativeTensor> = {};
  for (const { name, type, dims, data } of feeds) tensors[name] = new Tensor(type, arrayOf(type, data), dims);
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  let runs = 0;
  for (; performance.now() - started < ms; runs++) await session.run(tensors);
  const { user, system } = process.cpuUsage(cpu);
  return { clockUs: ((performance.now() - started) * 1000) / runs, cpuUs: (user + system) / runs };
}

process.on('message', (job: BareJob) => {
  run(job).then(
    (measured) => process.send?.({ measured }),
    (error) => process.send?.({ error: String(error) }),
  );
});
