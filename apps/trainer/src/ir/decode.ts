/**
 * Bytes of an ONNX file -> Model, or an OnnxError: the file may come from anyone. It never follows a path out of the
 * file (external data is refused), and what it cannot represent without changing the meaning it refuses by name.
 * Hints that change no result (quantisation annotations, placement on devices, denotations) are passed over. Whether
 * the graph makes sense is check.ts's question.
 */
import { readGraph, readLocalFunction, readOpset } from './decode-graph.ts';
import { type Noted, readEntry } from './decode-notes.ts';
import { readTensor } from './decode-tensor.ts';
import { MODEL } from './fields.ts';
import { DEFAULT_LIMITS, type Limits, Reader } from './protobuf-reader.ts';
import type { Graph, LocalFunction, Model, Opset, Tensor } from './types.ts';

/** The model in an ONNX file. @throws OnnxError for bytes that are none, or use what we do not support. */
export function decodeModel(bytes: Uint8Array, limits: Limits = DEFAULT_LIMITS): Model {
  const r = Reader.of(bytes, 'model', limits);
  let irVersion = 0;
  const producer = { name: '', version: '' };
  const about: Noted & { domain?: string | undefined; version?: bigint | undefined } = {};
  let graph: Graph | undefined;
  const opsets: Opset[] = [];
  const functions: LocalFunction[] = [];
  const metadata = new Map<string, string>();
  for (let field = r.field(); field; field = r.field()) {
    if (field === MODEL.irVersion) irVersion = r.size('ir_version');
    else if (field === MODEL.producerName) producer.name = r.string('producer_name');
    else if (field === MODEL.producerVersion) producer.version = r.string('producer_version');
    else if (field === MODEL.domain) about.domain = r.string('domain') || undefined;
    else if (field === MODEL.version) about.version = r.int('model_version') || undefined;
    else if (field === MODEL.doc) about.doc = r.string('doc_string') || undefined;
    else if (field === MODEL.graph) {
      // Protobuf would merge two graphs, so that different readers could see different models.
      if (graph) r.fail('a second graph');
      graph = readGraph(r.message('graph'));
    } else if (field === MODEL.opset) opsets.push(readOpset(r.message('opset_import')));
    else if (field === MODEL.metadata) readEntry(r.message('metadata_props'), metadata);
    else if (field === MODEL.functions) functions.push(readLocalFunction(r.message(`function ${functions.length}`)));
    else if (field === MODEL.training) r.fail('training_info is not supported: export the model for inference');
    else r.skip();
  }
  if (!graph) return r.fail('no graph: not an ONNX model');
  if (opsets.length === 0) r.fail('no opset_import: which version of the operators is meant is unknown');
  return { irVersion, opsets, producer, ...about, graph, functions, metadata };
}

/** The tensor in a file that holds nothing else (the standard's tests keep inputs and outputs so). */
export function decodeTensor(bytes: Uint8Array, limits: Limits = DEFAULT_LIMITS): Tensor {
  return readTensor(Reader.of(bytes, 'tensor', limits));
}
