import { expect, test } from 'vitest';
import { diagnosis } from './doctor.ts';

test('the table names each engine, its device or the reason, and what AUTO takes', () => {
  const table = diagnosis([
    { name: 'ORT_CUDA', absent: 'the CUDA files are not installed', device: null, passedOver: null },
    { name: 'ORT_WEBGPU', absent: null, device: 'libvk_swiftshader (WebGPU)', passedOver: 'a software driver' },
    { name: 'ORT_CPU', absent: null, device: 'CPU, 1 thread', passedOver: null },
    { name: 'ORT_WASM', absent: null, device: 'CPU, WebAssembly', passedOver: null },
  ]);
  expect(table.split('\n').slice(1)).toEqual([
    '  ORT_CUDA    absent   the CUDA files are not installed',
    '  ORT_WEBGPU  usable   libvk_swiftshader (WebGPU)  (AUTO passes it over: a software driver)',
    '  ORT_CPU     usable   CPU, 1 thread  <- AUTO takes this',
    '  ORT_WASM    usable   CPU, WebAssembly',
    '',
  ]);
});
