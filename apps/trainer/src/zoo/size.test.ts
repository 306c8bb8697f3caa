/** Sizes of networks against published ones, and against sums by hand. */
import { describe, expect, test } from 'vitest';
import type { Hyperparameters } from '../contract/run-spec.ts';
import type { NetworkInput } from './network.ts';
import { networkSize } from './size.ts';

const image = (...shape: number[]): NetworkInput => ({ kind: 'TENSOR', shape });
const IMAGENET = image(3, 224, 224);
/** Multiply-adds, which papers also call FLOPs. */
const gmacs = (flops: number) => flops / 2 / 1e9;

describe('resnet', () => {
  // Parameters: torchvision's models (https://pytorch.org/vision/stable/models/resnet.html); multiply-adds: He et al.
  // 2015, table 1 (1.8, 3.6), and for v1.5 torchvision's own count (4.09, 7.80).
  test.each([
    ['ResNet-18', 'BASIC', [2, 2, 2, 2], 11_689_512, 1.81],
    ['ResNet-34', 'BASIC', [3, 4, 6, 3], 21_797_672, 3.66],
    ['ResNet-50', 'BOTTLENECK', [3, 4, 6, 3], 25_557_032, 4.09],
    ['ResNet-101', 'BOTTLENECK', [3, 4, 23, 3], 44_549_160, 7.8],
  ] as const)('%s is as large as published', (_, block, depths, parameters, multiplyAdds) => {
    const size = networkSize({ resnet: { block, depths: [...depths], width: 64 } }, IMAGENET, 1000);
    expect(size.parameterCount).toBe(parameters);
    expect(gmacs(size.flops)).toBeCloseTo(multiplyAdds, 2);
  });

  test('ResNet-50 has a mean and a variance per channel of 53 batch norms', () => {
    const { bufferCount } = networkSize(
      { resnet: { block: 'BOTTLENECK', depths: [3, 4, 6, 3], width: 64 } },
      IMAGENET,
      9,
    );
    expect(bufferCount).toBe(53_120);
  });

  test('on 32 pixels three stages of three blocks are the 0.27 M of ResNet-20 (table 6)', () => {
    const size = networkSize({ resnet: { block: 'BASIC', depths: [3, 3, 3], width: 16 } }, image(3, 32, 32), 10);
    expect(size.parameterCount / 1e6).toBeCloseTo(0.27, 2);
    expect(gmacs(size.flops)).toBeCloseTo(0.041, 3);
  });
});

test('inception: the weights of bvlc_googlenet, two numbers of batch norm for each of its biases', () => {
  const size = networkSize({ inception: { depths: [2, 5, 2], width: 1, dropout: 0.4 } }, IMAGENET, 1000);
  // https://github.com/BVLC/caffe/tree/master/models/bvlc_googlenet: 6,998,552 without its auxiliary classifiers.
  const biases = 7_280;
  expect(size.parameterCount).toBe(6_998_552 - biases + 2 * biases);
  expect(gmacs(size.flops)).toBeCloseTo(1.58, 2);
});

describe('transformer', () => {
  const BERT: Hyperparameters['transformer'] = {
    layers: 12,
    width: 768,
    heads: 12,
    feedForward: 3072,
    dropout: 0.1,
    positions: 'LEARNED',
    norm: 'POST',
    pooling: 'CLS',
  };
  const english: NetworkInput = { kind: 'TOKENS', vocabulary: 30_522, maxLength: 512 };
  const of = (fields: Partial<typeof BERT>) => networkSize({ transformer: { ...BERT, ...fields } }, english, 2);

  test("BERT-base: 7,087,872 parameters per layer, and BERT's embeddings but for its segments", () => {
    const base = of({}).parameterCount;
    expect((base - of({ layers: 6 }).parameterCount) / 6).toBe(7_087_872);
    // bert-base-uncased: 23,837,184 with two segments of 768; here the class token has a row and a position more.
    const embeddings = 23_837_184 - 2 * 768 + 2 * 768;
    expect(base).toBe(embeddings + 12 * 7_087_872 + 2 * (768 + 1));
  });

  test('rotary positions have no parameters; PRE has one norm behind the layers instead of one in front', () => {
    expect(of({}).parameterCount - of({ positions: 'ROTARY' }).parameterCount).toBe(513 * 768);
    expect(of({ norm: 'PRE' }).parameterCount).toBe(of({}).parameterCount);
    expect(of({}).parameterCount - of({ pooling: 'MEAN' }).parameterCount).toBe(2 * 768);
  });

  test('a layer costs what its matrices and its attention cost', () => {
    const perLayer = of({}).flops - of({ layers: 11 }).flops;
    const T = 513;
    expect(perLayer).toBe(2 * T * (4 * 768 * 768 + 2 * 768 * 3072) + 2 * 2 * T * T * 768);
  });
});

test('cnn and mlp: sums by hand', () => {
  const cnn = networkSize({ cnn: { channels: [4, 8], kernel: 3, hidden: [16], dropout: 0.5 } }, image(1, 8, 8), 10);
  expect(cnn.parameterCount).toBe(4 * 9 + 4 + 8 * 4 * 9 + 8 + (8 * 2 * 2 + 1) * 16 + 17 * 10);
  expect(cnn.flops).toBe(2 * (64 * 4 * 9 + 16 * 8 * 4 * 9 + 32 * 16 + 16 * 10));
  const mlp = (input: NetworkInput) => networkSize({ mlp: { hidden: [5] } }, input, 3);
  expect(mlp({ kind: 'FEATURES', width: 7 })).toEqual({ parameterCount: 40 + 18, bufferCount: 0, flops: 100 });
  expect(mlp(image(1, 7, 1))).toEqual(mlp({ kind: 'FEATURES', width: 7 }));
  expect(mlp({ kind: 'TOKENS', vocabulary: 7, maxLength: 9 }).parameterCount).toBe(40 + 18);
});

test.each<[string, Parameters<typeof networkSize>[0], NetworkInput]>([
  ['resnet: reads one TENSOR', { resnet: { block: 'BASIC', depths: [1], width: 4 } }, { kind: 'FEATURES', width: 64 }],
  ['the input is TENSOR [8,8]', { inception: { depths: [1], width: 1, dropout: 0 } }, image(8, 8)],
  [
    'the input is TOKENS of up to 9',
    { cnn: { channels: [4], kernel: 3, hidden: [], dropout: 0 } },
    { kind: 'TOKENS', vocabulary: 9, maxLength: 9 },
  ],
  [
    'transformer: reads one TOKENS column; the input is TENSOR [1,8,8]',
    {
      transformer: {
        layers: 1,
        width: 8,
        heads: 1,
        feedForward: 8,
        dropout: 0,
        positions: 'LEARNED',
        norm: 'PRE',
        pooling: 'MEAN',
      },
    },
    image(1, 8, 8),
  ],
])('refuses what it does not read: %s', (message, architecture, input) => {
  expect(() => networkSize(architecture, input, 2)).toThrow(message);
});
