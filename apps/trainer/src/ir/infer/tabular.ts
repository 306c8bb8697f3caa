/** Rules of operations on table cells and strings, most of them of the ai.onnx.ml operator set. */
import type { DataType } from '../types.ts';
import type { Call, Rules } from './call.ts';
import { broadcastShapes, type Fact, fact, tensor } from './fact.ts';

const VALUES: readonly (readonly [suffix: string, type: DataType])[] = [
  ['strings', 'STRING'],
  ['int64s', 'INT64'],
  ['floats', 'FLOAT'],
];

/** The values' list says the type; before version 2 it was between strings and integers, from the input's. */
function labelEncoder(c: Call): Fact {
  if (c.node.attributes.has('classes_strings'))
    return tensor(c.type(0) === 'STRING' ? 'INT64' : c.type(0) ? 'STRING' : null, c.shape(0));
  const [, type] = VALUES.find(([suffix]) => c.node.attributes.has(`values_${suffix}`)) ?? [];
  return tensor(type ?? c.attribute('values_tensor', 'TENSOR')?.value.type ?? null, c.shape(0));
}

/** [N,C] scores and [N] labels; the labels are strings if any are listed. */
function classifier(c: Call): readonly Fact[] {
  const strings = c.attribute('classlabels_strings', 'STRINGS')?.value;
  const integers = c.ints('classlabels_int64s') ?? c.ints('classlabels_ints');
  const labels = strings?.length ? strings : integers;
  const rows = c.shape(0)?.length === 1 ? 1 : c.dim(0, 0);
  const classes = labels?.length ? labels.length : null;
  return [tensor(strings?.length ? 'STRING' : 'INT64', [rows]), tensor('FLOAT', [rows, classes])];
}

function regressor(c: Call): Fact {
  const rows = c.shape(0)?.length === 1 ? 1 : c.dim(0, 0);
  return tensor('FLOAT', [rows, c.int('targets', c.int('n_targets', 1))]);
}

function zipMap(c: Call): Fact {
  const key: DataType = c.node.attributes.has('classlabels_strings') ? 'STRING' : 'INT64';
  return fact({ kind: 'SEQUENCE', of: { kind: 'MAP', key, of: { kind: 'TENSOR', type: 'FLOAT', shape: [] } } });
}

function oneHotEncoder(c: Call): Fact {
  const classes = (c.ints('cats_int64s') ?? c.attribute('cats_strings', 'STRINGS')?.value ?? []).length;
  const shape = c.shape(0);
  return tensor('FLOAT', shape ? [...shape, classes] : null);
}

/** As many columns as the largest index of an n-gram says. */
function tfIdf(c: Call): Fact {
  const shape = c.shape(0);
  const columns = (c.ints('ngram_indexes') ?? []).reduce((most, index) => Math.max(most, index), -1) + 1;
  return tensor('FLOAT', shape ? [...shape.slice(0, -1), columns] : null);
}

/** The rules of this file. */
export const TABULAR: Rules = {
  LabelEncoder: labelEncoder,
  CategoryMapper: (c) => tensor(c.type(0) === 'STRING' ? 'INT64' : 'STRING', c.shape(0)),
  Binarizer: (c) => tensor(c.type(0), c.shape(0)),
  Imputer: (c) => tensor(c.type(0), c.shape(0)),
  Normalizer: (c) => tensor('FLOAT', c.shape(0)),
  Scaler: (c) => tensor('FLOAT', c.shape(0)),
  LinearClassifier: classifier,
  TreeEnsembleClassifier: classifier,
  LinearRegressor: regressor,
  TreeEnsembleRegressor: regressor,
  TreeEnsemble: (c) => tensor(c.type(0), [c.dim(0, 0), c.int('n_targets', 1)]),
  OneHotEncoder: oneHotEncoder,
  ZipMap: zipMap,
  StringConcat: (c) => tensor('STRING', broadcastShapes([c.shape(0), c.shape(1)]) ?? null),
  StringSplit: (c) => {
    const shape = c.shape(0);
    return [tensor('STRING', shape ? [...shape, null] : null), tensor('INT64', shape)];
  },
  TfIdfVectorizer: tfIdf,
  RegexFullMatch: (c) => tensor('BOOL', c.shape(0)),
  StringNormalizer: (c) => tensor('STRING', c.shape(0)?.length === 2 ? [1, null] : [null]),
};
