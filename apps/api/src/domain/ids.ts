/** Global ids: opaque outside, (type, uuid) inside. Knows no table. */
import { z } from 'zod';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** An id that no row has: what an unreadable id is looked up as. */
export const NIL = '00000000-0000-0000-0000-000000000000';

/** Types that `node(id)` answers. */
export const NODE_TYPES = [
  'Project',
  'ApiKey',
  'Dataset',
  'DatasetVersion',
  'Experiment',
  'Run',
  'Model',
  'ModelVersion',
  'Endpoint',
  'Guardrail',
] as const;
/** Types that have global ids. An upload's is its token. */
export type NodeType = (typeof NODE_TYPES)[number] | 'Upload';

/** The opaque id of a row, as relay's plugin writes it. */
export function toGlobalId(type: NodeType, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

/** The row's uuid, or undefined for ids of another type and for text that is no id. */
export function fromGlobalId(type: NodeType, globalId: string): string | undefined {
  const [name, id = ''] = Buffer.from(globalId, 'base64').toString('utf8').split(':');
  return name === type && UUID.test(id) ? id : undefined;
}

/** For queries: an unreadable id is looked up as one that no row has. */
export function lookupId(type: NodeType, globalId: string): string {
  return fromGlobalId(type, globalId) ?? NIL;
}

/** For `findUnique` of nodes, which get the part after the type. */
export function uuidOrNil(id: string): string {
  return UUID.test(id) ? id : NIL;
}

/** zod: a global id of the type, read into its uuid; anything else is NOT_FOUND, as a row that does not exist. */
export function globalId(type: NodeType) {
  return z.union([z.string(), z.number()]).transform((value, check) => {
    const id = fromGlobalId(type, String(value));
    if (id) return id;
    check.addIssue({
      code: 'custom',
      message: `There is no such ${type} in this project.`,
      params: { code: 'NOT_FOUND' },
    });
    return z.NEVER;
  });
}

/** For relay's plugin: what is no node's id is read as that of a project that does not exist, so `node` is null. */
export function decodeGlobalID(globalId: string): { typename: NodeType; id: string } {
  for (const typename of NODE_TYPES) {
    const id = fromGlobalId(typename, globalId);
    if (id) return { typename, id };
  }
  return { typename: 'Project', id: NIL };
}
