/** Every rule, by operator set and operation. What has no rule is not refused: nothing is known of its outputs. */
import type { Rule, Rules } from './call.ts';
import { COLLECTION } from './collection.ts';
import { CONTROL } from './control.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { GENERATE } from './generate.ts';
import { LAYOUT } from './layout.ts';
import { MATRIX } from './matrix.ts';
import { NETWORK } from './network.ts';
import { REDUCE } from './reduce.ts';
import { SELECT } from './select.ts';
import { TABULAR } from './tabular.ts';
import { WINDOW } from './window.ts';

/** Later ones replace earlier ones of the same name: the general rules stand first. */
const RULES: Rules = {
  ...ELEMENTWISE,
  ...GENERATE,
  ...LAYOUT,
  ...SELECT,
  ...REDUCE,
  ...MATRIX,
  ...WINDOW,
  ...NETWORK,
  ...CONTROL,
  ...COLLECTION,
  ...TABULAR,
};

const BY_NAME = new Map(Object.entries(RULES));

/** The rule of an operation of the standard's operator sets, if there is one. */
export function ruleOf(domain: string, type: string): Rule | undefined {
  return domain === '' || domain === 'ai.onnx.ml' ? BY_NAME.get(type) : undefined;
}
