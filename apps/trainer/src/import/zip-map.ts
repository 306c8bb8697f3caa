/** ZipMap makes a list of dictionaries of a tensor of scores: it is taken off, its class names are kept. Pure. */
import { JobFailure } from '../failure.ts';
import { graphsOf } from '../ir/sort.ts';
import type { Model, Node } from '../ir/types.ts';
import { type Changed, nodeOf, withStandard } from './nodes.ts';

/** The model without ZipMaps at its outputs, and the class names by output. @throws JobFailure TYPE_UNSUPPORTED */
export function withoutZipMaps(model: Model): Changed & { labels: ReadonlyMap<string, readonly string[]> } {
  const labels = new Map<string, readonly string[]>();
  const { graph } = model;
  const nodes = graph.nodes.map((node) => {
    if (node.domain !== 'ai.onnx.ml' || node.type !== 'ZipMap') return node;
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    const reader = graph.nodes.find((other) => reads(other, output));
    if (reader)
      throw new JobFailure(
        'TYPE_UNSUPPORTED',
        `operator ${reader.type} "${reader.name}" reads the dictionaries of the ZipMap "${output}". ` +
          'Export the model without ZipMap (scikit-learn: options={"zipmap": False})',
      );
    labels.set(output, classNames(node));
    return nodeOf('Identity', [input], output);
  });
  if (labels.size === 0) return { model, changes: [], labels };
  const outputs = graph.outputs.map((info) => {
    const names = labels.get(info.name);
    if (!names) return info;
    return { ...info, type: { kind: 'TENSOR' as const, type: 'FLOAT' as const, shape: [null, names.length] } };
  });
  const gone = new Set(labels.keys());
  const values = graph.values.filter(({ name }) => !gone.has(name));
  const changes = [...labels].map(([name, of]) => `ZipMap removed: "${name}" is a tensor of ${of.length} scores`);
  return { model: withStandard({ ...model, graph: { ...graph, nodes, outputs, values } }), changes, labels };
}

function reads(node: Node, name: string): boolean {
  if (node.inputs.includes(name)) return true;
  return [...node.attributes.values()].some((attribute) =>
    graphsOf(attribute).some((graph) => graph.nodes.some((inner) => reads(inner, name))),
  );
}

/** The class names that a node of ai.onnx.ml gives its scores; empty if none. */
export function classNames({ attributes }: Node): readonly string[] {
  for (const name of ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints']) {
    const attribute = attributes.get(name);
    if ((attribute?.type === 'STRINGS' || attribute?.type === 'INTS') && attribute.value.length > 0)
      return attribute.value.map(String);
  }
  return [];
}
