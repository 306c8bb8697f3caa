/** What an experiment may say of its network: one input per entry of the zoo; docs/architectures.md says more. */
import { builder } from '../builder.ts';

const MlpInput = builder.inputType('MlpInput', {
  description:
    'A multilayer perceptron with ReLU between its layers. Reads anything: columns, a TENSOR as the list of its ' +
    'numbers, TOKENS as a bag without order.',
  fields: (t) => ({
    hidden: t.intList({
      description: 'Widths of the hidden layers, at most 16 of 1-8192; [] = linear; by the data when omitted.',
    }),
  }),
});

const CnnInput = builder.inputType('CnnInput', {
  description:
    'Stages of convolution, ReLU and max pooling, then dense layers. Reads a TENSOR [channels,height,width].',
  fields: (t) => ({
    channels: t.intList({
      description: 'Channels of each stage, 1-8 of 1-1024; [32, 64] when omitted, [32, 64, 128] from 32 pixels on.',
    }),
    kernel: t.int({ description: 'Side of the convolutions: 1, 3, 5 or 7; 3 when omitted.' }),
    hidden: t.intList({ description: 'Widths of the dense layers, at most 4 of 1-8192; [128] when omitted.' }),
    dropout: t.float({ description: 'In front of each dense layer, 0-0.9; 0.4 when omitted.' }),
  }),
});

const ResNetBlockEnum = builder.enumType('ResNetBlock', {
  description: 'What a residual block is made of.',
  values: {
    BASIC: { description: 'Two 3x3 convolutions (ResNet-18, -34).' },
    BOTTLENECK: { description: '1x1, 3x3, 1x1, with four times the channels outside (ResNet-50, -101, -152).' },
  } as const,
});

const ResNetInput = builder.inputType('ResNetInput', {
  description:
    'ResNet v1.5. Reads a TENSOR [channels,height,width]; images up to 64 pixels keep their size in the stem.',
  fields: (t) => ({
    block: t.field({ type: ResNetBlockEnum, description: 'BASIC when omitted.' }),
    depths: t.intList({
      description: 'Blocks of each stage, 1-4 stages of 1-48; [2, 2, 2] when omitted; [2, 2, 2, 2] is ResNet-18.',
    }),
    width: t.int({
      description: 'Channels of the first stage, 1-512; each stage doubles them. 16 when omitted; 64 in the paper.',
    }),
  }),
});

const InceptionInput = builder.inputType('InceptionInput', {
  description:
    'Inception v1 with batch norm. Reads a TENSOR [channels,height,width]; images up to 64 pixels keep their size in ' +
    'the stem.',
  fields: (t) => ({
    depths: t.intList({
      description: 'Blocks of each stage, 1-3 stages of 1-5; [2, 2] when omitted; [2, 5, 2] is the whole paper.',
    }),
    width: t.float({ description: "Factor of the paper's channels, 0.03125-4; 0.25 when omitted." }),
    dropout: t.float({ description: 'In front of the classifier, 0-0.9; 0.2 when omitted; 0.4 in the paper.' }),
  }),
});

const PositionsEnum = builder.enumType('Positions', {
  description: 'How a transformer knows the order of tokens.',
  values: {
    LEARNED: { description: 'A learned vector per position (BERT).' },
    ROTARY: { description: 'Queries and keys turned by their position.' },
  } as const,
});

const NormEnum = builder.enumType('Norm', {
  description: 'Where the layers of a transformer normalise.',
  values: {
    PRE: { description: 'In front of each branch: trains without warm-up.' },
    POST: { description: 'Behind each sum (BERT).' },
  } as const,
});

const PoolingEnum = builder.enumType('Pooling', {
  description: 'What the classifier of a transformer reads.',
  values: {
    MEAN: { description: 'The mean of the real tokens.' },
    CLS: { description: 'A learned token in front of the sequence (BERT).' },
  } as const,
});

const TransformerInput = builder.inputType('TransformerInput', {
  description: 'A transformer encoder, BERT-like. Reads TOKENS.',
  fields: (t) => ({
    layers: t.int({ description: '1-48; 2 when omitted; 12 in BERT-base.' }),
    width: t.int({ description: "Length of each token's vector, a multiple of heads, 2-4096; 64 when omitted." }),
    heads: t.int({ description: '1-64; 4 when omitted.' }),
    feedForward: t.int({ description: 'Width of the hidden layer behind each attention, 1-16384; 256 when omitted.' }),
    dropout: t.float({ description: 'Behind the embedding and in each branch, 0-0.9; 0.1 when omitted.' }),
    positions: t.field({ type: PositionsEnum, description: 'LEARNED when omitted.' }),
    norm: t.field({ type: NormEnum, description: 'PRE when omitted.' }),
    pooling: t.field({ type: PoolingEnum, description: 'MEAN when omitted.' }),
  }),
});

export const ArchitectureInput = builder.inputType('ArchitectureInput', {
  description: 'A network: exactly one of these, with any of its hyperparameters.',
  isOneOf: true,
  fields: (t) => ({
    mlp: t.field({ type: MlpInput, description: 'A multilayer perceptron.' }),
    cnn: t.field({ type: CnnInput, description: 'A plain convolutional network.' }),
    resnet: t.field({ type: ResNetInput, description: 'A residual network.' }),
    inception: t.field({ type: InceptionInput, description: 'Inception v1.' }),
    transformer: t.field({ type: TransformerInput, description: 'A transformer encoder.' }),
  }),
});
