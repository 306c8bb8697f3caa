/** IDX pairs, written byte by byte as the format's page says. */
import { gzipSync } from 'node:zlib';
import { decodeTable } from '@anneal/trainer/contract';
import { describe, expect, it } from 'vitest';
import { parseTexts, refusalOf } from './fixture.ts';

const IDX = { format: 'IDX' as const, target: 'label' };

function idx(type: number, dims: number[], elements: Buffer): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.set([0, 0, type, dims.length]);
  for (const [i, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return Buffer.concat([header, elements]);
}

const COUNT = 30;
const labels = idx(8, [COUNT], Buffer.from(Uint8Array.from({ length: COUNT }, (_, i) => i % 3)));
const pixels = Uint8Array.from({ length: COUNT * 6 }, (_, i) => i);
const images = idx(8, [COUNT, 2, 3], Buffer.from(pixels));

async function tensorOf(contents: Buffer[], asked: object = {}) {
  const dataset = await parseTexts(contents, { ...IDX, ...asked });
  const column = decodeTable(dataset.table).columns[0];
  if (column?.kind !== 'TENSOR') throw new Error('expected a tensor');
  return { dataset, column };
}

describe('IDX', () => {
  it('is images and labels, in either order, zipped or not', async () => {
    const { dataset, column } = await tensorOf([images, labels], { split: { testEvery: 5 } });
    expect(column).toEqual({ name: 'image', kind: 'TENSOR', shape: [1, 2, 3], values: pixels });
    expect(dataset).toMatchObject({
      rowCount: COUNT,
      classes: ['0', '1', '2'],
      inferredTask: 'MULTICLASS',
      columns: [
        { name: 'image', kind: 'TENSOR', shape: [1, 2, 3], profile: { min: 0, max: 179 } },
        { name: 'label', role: 'TARGET' },
      ],
      split: { counts: { TEST: 6 } },
    });
    const zipped = await tensorOf([gzipSync(labels), gzipSync(images)], { split: { testEvery: 5 } });
    expect(zipped.dataset.digest).toBe(dataset.digest);
  });

  it.each<[string, number, number, (bytes: Buffer, value: number, at: number) => void]>([
    ['signed bytes', 9, 1, (bytes, value, at) => bytes.writeInt8(value, at)],
    ['shorts', 11, 2, (bytes, value, at) => bytes.writeInt16BE(value, at)],
    ['ints', 12, 4, (bytes, value, at) => bytes.writeInt32BE(value, at)],
    ['floats', 13, 4, (bytes, value, at) => bytes.writeFloatBE(value, at)],
    ['doubles', 14, 8, (bytes, value, at) => bytes.writeDoubleBE(value, at)],
  ])('reads %s', async (_, type, width, write) => {
    const bytes = Buffer.alloc(COUNT * 2 * width);
    for (let i = 0; i < COUNT * 2; i++) write(bytes, i - 30, i * width);
    const { column } = await tensorOf([idx(type, [COUNT, 2], bytes), labels]);
    expect(column.shape).toEqual([2]);
    expect(column.values).toEqual(Float32Array.from({ length: COUNT * 2 }, (_, i) => i - 30));
  });

  it('leaves more dimensions as they are, and is called and shaped as its owner says', async () => {
    const color = idx(8, [COUNT, 1, 2, 3], Buffer.from(pixels));
    expect((await tensorOf([color, labels])).column.shape).toEqual([1, 2, 3]);
    const columns = [{ name: 'digit', kind: 'TENSOR', shape: [6] }];
    expect((await tensorOf([images, labels], { columns })).column).toMatchObject({ name: 'digit', shape: [6] });
  });

  it.each<[string, Buffer[], string]>([
    ['one file', [images], 'expected two IDX files'],
    ['two files of labels', [labels, labels], 'expected a file of 1 dimension (labels) and one of more'],
    ['counts that differ', [idx(8, [COUNT - 1, 2, 3], Buffer.from(pixels.subarray(6))), labels], 'has 30 labels'],
    ['other files', [Buffer.from('x,y\n1,2\n'), labels], 'file0 is no IDX file'],
    ['a file that is cut off', [images.subarray(0, -1), labels], 'file0 ends before'],
    ['a header that is cut off', [images.subarray(0, 9), labels], 'file0 ends before its header'],
    ['a file that goes on', [Buffer.concat([images, images]), labels], 'file0 goes on behind'],
    ['an empty dimension', [idx(8, [0, 2, 3], Buffer.alloc(0)), labels], 'a dimension is 0'],
  ])('refuses %s', async (_, contents, message) => {
    const error = await refusalOf(contents, IDX);
    expect(error.code).toBe('BAD_ROW');
    expect(error.message).toContain(message);
  });

  it('refuses another target and a part per file', async () => {
    expect(await refusalOf([images, labels], { ...IDX, target: 'digit' })).toMatchObject({ code: 'TARGET_NOT_FOUND' });
    const split = { files: ['TRAIN' as const, 'TEST' as const] };
    expect(await refusalOf([images, labels], { ...IDX, split })).toMatchObject({ code: 'BAD_SPLIT' });
    const limits = { cells: 100 };
    expect(await refusalOf([images, labels], { ...IDX, limits })).toMatchObject({ code: 'TOO_LARGE' });
  });
});
