/** The schema builder: plugins, scalars and the one way to declare a mutation. Knows no noun. */
import type { Scope } from '@anneal/edge/contract';
import SchemaBuilder from '@pothos/core';
import ComplexityPlugin, { ComplexityErrorKind } from '@pothos/plugin-complexity';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import { GraphQLError } from 'graphql';
import type { Context } from './context.ts';
import { hasScope } from './context.ts';
import { decodeGlobalID } from './domain/ids.ts';
import { forbidden, unauthenticated } from './errors.ts';
import type PrismaTypes from './generated/pothos.ts';
import { getDatamodel } from './generated/pothos.ts';

export type Types = {
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  /** The caller's key needs this scope, or one of these. */
  AuthScopes: { scope: Scope | readonly Scope[] };
  Scalars: {
    ID: { Input: string; Output: string | number };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
    BigInt: { Input: bigint; Output: bigint };
  };
};

/** The builder's full type, for functions that declare fields for others. */
export type SchemaTypes = PothosSchemaTypes.ExtendDefaultTypes<Types>;

const LIMITS = { depth: 16, breadth: 500, complexity: 20_000 };
const LIMIT_NAMES = {
  [ComplexityErrorKind.Depth]: 'depth',
  [ComplexityErrorKind.Breadth]: 'breadth',
  [ComplexityErrorKind.Complexity]: 'complexity',
} as const;

// Order is running order: the cost of a document is known before any row is read, scopes before a resolver runs.
export const builder = new SchemaBuilder<Types>({
  plugins: [ComplexityPlugin, ScopeAuthPlugin, ValidationPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  prisma: {
    client: (ctx) => ctx.prisma,
    dmmf: getDatamodel(),
    onUnusedQuery: ({ parentType, fieldName }) => {
      // The object of a payload is absent beside userErrors; anywhere else an unused query is a bug.
      if (!parentType.name.endsWith('Payload'))
        throw new Error(`${parentType.name}.${fieldName} does not use the query that it is given`);
    },
    filterConnectionTotalCount: true,
    maxConnectionSize: 100,
    defaultConnectionSize: 20,
  },
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: { description: 'The page without cursors.', complexity: { field: 0, multiplier: 1 } },
    defaultConnectionTypeOptions: { description: 'A page of a list: read on with `after: pageInfo.endCursor`.' },
    defaultEdgeTypeOptions: { description: 'An object and where it stands in its connection.' },
    pageInfoFieldOptions: { description: 'Where the page stands in the connection.', complexity: 0 },
    decodeGlobalID,
    brandLoadedObjects: true,
    idFieldOptions: { description: 'Opaque id, unique over all types.' },
    nodeTypeOptions: { description: 'Anything that has a global id.' },
    nodesQueryOptions: false,
    nodeQueryOptions: {
      description: 'Any object of the project by its global id; null where there is none.',
      nullable: true,
      authScopes: { scope: 'read' },
      args: { id: { description: 'A global id, as any `id` field gives it.' } },
    },
    pageInfoTypeOptions: { description: 'Where a page stands in its connection.' },
    pageInfoCursorType: 'String',
    hasNextPageFieldOptions: { description: 'Whether more follow after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are more before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first edge; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last edge: pass it as `after` to read on.' },
    edgesFieldOptions: {
      description: 'The page, each object with its cursor.',
      complexity: { field: 0, multiplier: 1 },
    },
    nodeFieldOptions: { description: 'The object.', complexity: 0 },
    cursorFieldOptions: { description: 'Where this edge stands in the connection.', complexity: 0 },
    firstArgOptions: { description: 'At most this many from the start; 20 when omitted, 100 at most.' },
    lastArgOptions: { description: 'At most this many from the end.' },
    afterArgOptions: { description: 'Only what follows this cursor.' },
    beforeArgOptions: { description: 'Only what precedes this cursor.' },
  },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: (ctx) => ({ scope: (scope) => [scope].flat().some((one) => hasScope(ctx.caller, one)) }),
    unauthorizedError: (_parent, ctx) => (ctx.caller.kind === 'anonymous' ? unauthenticated() : forbidden()),
  },
  validation: {
    validationError: ({ issues }) =>
      new GraphQLError(issues.map((issue) => issue.message).join('; '), { extensions: { code: 'INVALID_INPUT' } }),
  },
  complexity: {
    defaultComplexity: 1,
    defaultListMultiplier: 5,
    limit: LIMITS,
    complexityError: (kind, result) => {
      const name = LIMIT_NAMES[kind];
      return new GraphQLError(
        `The document is too large: its ${name} is ${result[name]}, at most ${LIMITS[name]} is allowed. Ask for less.`,
        { extensions: { code: 'DOCUMENT_TOO_LARGE' } },
      );
    },
  },
});

/** Complexity of a connection: what is below counts once per row that may come. */
export function page(args: { first?: number | null; last?: number | null }) {
  return { field: 1, multiplier: Math.min(args.first ?? args.last ?? 20, 100) };
}

builder.queryType({ description: 'Everything that reads. A key sees the rows of its own project only.' });
builder.mutationType({
  description: 'Everything that writes. Expected failures are listed in `userErrors`; then nothing was written.',
});
builder.subscriptionType({ description: 'Live updates, as server-sent events.' });
