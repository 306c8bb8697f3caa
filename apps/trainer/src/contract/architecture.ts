/**
 * The networks that can be asked for: one schema of hyperparameters per entry of the zoo. Complete: a RunSpec says
 * every one of them, whoever chose it. What a network looks like, trainer/src/zoo says.
 */
import { z } from 'zod';

/** Layers or blocks of these widths, none of them absurd. */
const widths = (most: number) => z.array(z.int().min(1).max(8192)).max(most);

/** Share of activations that training drops; 0 = none. */
const Rate = z.number().min(0).max(0.9);

/** hidden: widths of the hidden layers; [] = linear. */
export const Mlp = z.strictObject({ hidden: widths(16) });

export const Cnn = z.strictObject({
  /** Channels of each stage: convolution, ReLU, max pooling by 2. */
  channels: z.array(z.int().min(1).max(1024)).min(1).max(8),
  /** Side of the convolutions; odd, so that padding keeps the size. */
  kernel: z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)], 'expected 1, 3, 5 or 7'),
  /** Widths of the dense layers behind the stages. */
  hidden: widths(4),
  /** In front of each dense layer. */
  dropout: Rate,
});

export const ResNet = z.strictObject({
  /** BASIC: two 3x3 convolutions; BOTTLENECK: 1x1, 3x3, 1x1 with four times as many channels outside. */
  block: z.enum(['BASIC', 'BOTTLENECK']),
  /** Blocks of each stage; a stage halves the image (but the first) and doubles the channels. [2,2,2,2] = ResNet-18. */
  depths: z.array(z.int().min(1).max(48)).min(1).max(4),
  /** Channels of the first stage; 64 in the paper. */
  width: z.int().min(1).max(512),
});

/** Blocks of each stage in Inception v1. */
const INCEPTION_DEPTHS = [2, 5, 2];

export const Inception = z
  .strictObject({
    /** Blocks of each stage, as the paper has them: [2, 5, 2] is all of Inception v1, smaller numbers its beginning. */
    depths: z.array(z.int().min(1).max(5)).min(1).max(INCEPTION_DEPTHS.length),
    /** Factor of the paper's channels. */
    width: z.number().min(0.03125).max(4),
    /** In front of the classifier; 0.4 in the paper. */
    dropout: Rate,
  })
  .refine(({ depths }) => depths.every((depth, stage) => depth <= (INCEPTION_DEPTHS[stage] ?? 0)), {
    path: ['depths'],
    error: `depths are at most [${INCEPTION_DEPTHS.join(', ')}]`,
  });

export const Transformer = z
  .strictObject({
    layers: z.int().min(1).max(48),
    /** Length of each token's vector; a multiple of `heads`. */
    width: z.int().min(2).max(4096),
    heads: z.int().min(1).max(64),
    /** Width of the hidden layer behind each attention. */
    feedForward: z.int().min(1).max(16_384),
    /** Behind the embedding and in both branches of each layer. */
    dropout: Rate,
    /** LEARNED: a vector per position; ROTARY: queries and keys turned by their position. */
    positions: z.enum(['LEARNED', 'ROTARY']),
    /** Where layers normalise: PRE, in front of each branch (steadier), or POST, behind each sum (BERT). */
    norm: z.enum(['PRE', 'POST']),
    /** What the classifier reads: CLS, a learned token in front of the sequence, or the MEAN of the real tokens. */
    pooling: z.enum(['CLS', 'MEAN']),
  })
  .refine(({ width, heads }) => width % heads === 0, {
    path: ['width'],
    error: 'width must be a multiple of heads',
  })
  .refine(({ width, heads, positions }) => positions !== 'ROTARY' || (width / heads) % 2 === 0, {
    path: ['positions'],
    error: 'ROTARY positions need an even width per head',
  });

/** One row per entry of the zoo. */
export const HYPERPARAMETERS = {
  mlp: Mlp,
  cnn: Cnn,
  resnet: ResNet,
  inception: Inception,
  transformer: Transformer,
} as const;

/** Key of an entry of the zoo. */
export type ArchitectureName = keyof typeof HYPERPARAMETERS;

/** All keys. */
export const ARCHITECTURES = Object.keys(HYPERPARAMETERS) as ArchitectureName[];

/** The hyperparameters of each entry. */
export type Hyperparameters = { [name in ArchitectureName]: z.infer<(typeof HYPERPARAMETERS)[name]> };

/** A network: exactly one entry of the zoo with all its hyperparameters. */
export const Architecture = z.union([
  z.strictObject({ mlp: Mlp }),
  z.strictObject({ cnn: Cnn }),
  z.strictObject({ resnet: ResNet }),
  z.strictObject({ inception: Inception }),
  z.strictObject({ transformer: Transformer }),
]);
export type Architecture = z.infer<typeof Architecture>;
