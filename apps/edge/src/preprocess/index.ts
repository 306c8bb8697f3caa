/**
 * The door @anneal/edge/preprocess: how a cell's text is read before ONNX sees it. The trainer and the API may use
 * the same functions, so that one code trains and serves.
 */
export { cellNumber } from './cell.ts';
export { classFinder, type LabelValue, labelText } from './label.ts';
