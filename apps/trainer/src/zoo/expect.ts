/** What each architecture reads; the others are refused before anything is built. */
import { GraphError } from '../ir/errors.ts';
import type { NetworkInput } from './network.ts';

/** An image [C,H,W]. @throws GraphError */
export function expectImage(architecture: string, input: NetworkInput): readonly [number, number, number] {
  const [c, h, w, ...more] = input.kind === 'TENSOR' ? input.shape : [];
  if (c && h && w && more.length === 0) return [c, h, w];
  throw new GraphError(
    `${architecture}: reads one TENSOR column of shape [channels,height,width]; the input is ${spell(input)}. ` +
      'Choose mlp, or commit the columns as a TENSOR of three axes.',
  );
}

/** Sequences of tokens. @throws GraphError */
export function expectTokens(architecture: string, input: NetworkInput): { vocabulary: number; maxLength: number } {
  if (input.kind === 'TOKENS') return input;
  throw new GraphError(
    `${architecture}: reads one TOKENS column; the input is ${spell(input)}. ` +
      'Choose mlp, or commit sequences of token ids as a TOKENS column.',
  );
}

/** "TENSOR [1,8,8]", as messages write it. */
export function spell(input: NetworkInput): string {
  if (input.kind === 'TENSOR') return `TENSOR [${input.shape.join()}]`;
  return input.kind === 'FEATURES' ? `${input.width} FEATURES` : `TOKENS of up to ${input.maxLength}`;
}
