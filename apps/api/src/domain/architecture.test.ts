/** Networks as they are asked for: what is filled in, what is refused, how large they are. */
import { describe, expect, it } from 'vitest';
import { UserError, userErrorsOf } from '../errors.ts';
import { ArchitectureInput, completeArchitecture, sizeForEdge } from './architecture.ts';

type Rows = Parameters<typeof completeArchitecture>[1]['input'];
const image = (...shape: number[]): Rows => ({ kind: 'TENSOR', shape });
const TOKENS: Rows = { kind: 'TOKENS', vocabulary: 100, maxLength: 32 };
const TABLE: Rows = { kind: 'FEATURES', width: 9 };

/** As createExperiment does it: parse what came, complete it, size it. */
function made(given: unknown, input: Rows = TABLE) {
  const architecture = completeArchitecture(ArchitectureInput.nullish().parse(given), { input, hidden: [64] });
  return { architecture, ...sizeForEdge(architecture, input, 3) };
}

function refused(given: unknown, input: Rows = TABLE): string {
  try {
    return JSON.stringify(made(given, input).architecture);
  } catch (error) {
    const [first] = userErrorsOf(error) ?? [];
    return `${first?.code} ${first?.field?.join('.') ?? ''} ${first?.message}`;
  }
}

describe('what is filled in', () => {
  it('the entry, by what a row is', () => {
    const entryOf = (input: Rows) => Object.keys(made(undefined, input).architecture);
    expect(entryOf(TABLE)).toEqual(['mlp']);
    expect(entryOf(image(1, 8, 8))).toEqual(['cnn']);
    expect(entryOf(image(3, 7, 64))).toEqual(['mlp']);
    expect(entryOf(image(2, 300))).toEqual(['mlp']);
    expect(entryOf(image(2, 9, 9, 9))).toEqual(['mlp']);
    expect(entryOf(TOKENS)).toEqual(['transformer']);
  });

  it('every hyperparameter that is left out or null, and none that is given', () => {
    expect(made(null).architecture).toEqual({ mlp: { hidden: [64] } });
    expect(made({ mlp: { hidden: [] } }).architecture).toEqual({ mlp: { hidden: [] } });
    expect(made({ cnn: { dropout: 0, hidden: null } }, image(3, 32, 32)).architecture).toEqual({
      cnn: { channels: [32, 64, 128], kernel: 3, hidden: [128], dropout: 0 },
    });
    expect(made({ resnet: {} }, image(1, 28, 28)).architecture).toEqual({
      resnet: { block: 'BASIC', depths: [2, 2, 2], width: 16 },
    });
    expect(made({ inception: { depths: [1] } }, image(1, 28, 28)).architecture).toEqual({
      inception: { depths: [1], width: 0.25, dropout: 0.2 },
    });
    expect(made({ transformer: { heads: 8, norm: 'POST' } }, TOKENS).architecture).toMatchObject({
      transformer: { heads: 8, norm: 'POST', width: 64, positions: 'LEARNED', pooling: 'MEAN' },
    });
  });
});

describe('what is refused, with the field at fault', () => {
  it.each<[unknown, Rows, string]>([
    [{}, TABLE, 'INVALID_INPUT  expected exactly one of mlp, cnn, resnet, inception, transformer'],
    [{ mlp: {}, cnn: {} }, TABLE, 'INVALID_INPUT  expected exactly one of'],
    [{ mlp: { hidden: [0] } }, TABLE, 'INVALID_INPUT mlp.hidden.0 '],
    [{ mlp: { width: 3 } }, TABLE, 'INVALID_INPUT mlp '],
    [{ cnn: { kernel: 4 } }, image(1, 8, 8), 'INVALID_INPUT cnn.kernel expected 1, 3, 5 or 7'],
    [{ transformer: { heads: 3 } }, TOKENS, 'INVALID_INPUT architecture.transformer.width width must be a multiple'],
    [
      { transformer: { width: 12, positions: 'ROTARY' } },
      TOKENS,
      'INVALID_INPUT architecture.transformer.positions ROTARY positions need an even width per head',
    ],
    [{ inception: { depths: [3] } }, image(1, 8, 8), 'INVALID_INPUT architecture.inception.depths depths are at most'],
    [{ resnet: {} }, TABLE, 'ARCHITECTURE_MISMATCH architecture resnet: reads one TENSOR column of shape'],
    [{ transformer: {} }, image(1, 8, 8), 'ARCHITECTURE_MISMATCH architecture transformer: reads one TOKENS column'],
    [{ mlp: { hidden: [8192, 800] } }, TABLE, 'MODEL_TOO_LARGE architecture The network has 6,638,'],
    [{ resnet: { depths: [2, 2, 2, 2], width: 64 } }, image(3, 64, 64), 'MODEL_TOO_LARGE architecture The network has'],
  ])('%j', (given, input, message) => {
    expect(refused(given, input)).toContain(message);
  });

  it('throws what userErrors can show', () => {
    expect(() => made({ resnet: {} })).toThrow(UserError);
  });
});

it('sizes are those of the graph', () => {
  expect(made({ mlp: { hidden: [10] } })).toMatchObject({ parameterCount: 100 + 33, flops: 2 * (90 + 30) });
  const small = made({ resnet: { depths: [2, 2, 2, 2], width: 32 } }, image(3, 64, 64));
  expect(small.parameterCount).toBeGreaterThan(2_500_000);
  expect(small.bufferCount).toBe(4_800);
});
