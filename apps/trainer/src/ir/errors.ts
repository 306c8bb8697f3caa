/** The two ways in which ONNX goes wrong here: bytes from outside, and graphs that we build. */

/** Bytes that are not an ONNX model which this codec accepts; says where in the file's structure. */
export class OnnxError extends Error {
  override readonly name = 'OnnxError';
}

/** A graph that cannot be built: names the operation, the input, what was expected and what came. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}
