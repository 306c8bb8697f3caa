/** The GraphQL door: yoga over the schema, its limits, and masked errors. Knows who calls only as a Caller. */
import { randomUUID } from 'node:crypto';
import { useCSRFPrevention as csrfPrevention } from '@graphql-yoga/plugin-csrf-prevention';
import { type GraphQLSchema, NoSchemaIntrospectionCustomRule } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { type Caller, type Context, createContext } from '../context.ts';
import type { Deps } from '../deps.ts';
import { maskWith } from '../errors.ts';
import type { Door } from './door.ts';

/** Tokens of a document: the journey's largest has about 300. */
const MAX_TOKENS = 5000;
/** Bytes of a request: documents and variables are small, files go through uploads. */
const MAX_BODY_BYTES = 1_000_000;

interface ServerContext {
  caller: Caller;
  requestId: string;
  /** Aborted when the client goes away or has its answer. */
  signal: AbortSignal;
}

/**
 * Refuses huge documents while they are parsed, and keeps a schema that strangers may not read out of error messages.
 */
function documentLimits(options: { introspection: 'ANYBODY' | 'KEYS' }): Plugin<ServerContext> {
  return {
    onParse({ params }) {
      params.options = { ...params.options, maxTokens: MAX_TOKENS };
    },
    onValidate({ addValidationRule, context, setValidationFn, validateFn }) {
      const stranger = context.caller?.kind !== 'key';
      if (!stranger || options.introspection === 'ANYBODY') return;
      addValidationRule(NoSchemaIntrospectionCustomRule);
      setValidationFn((schema, document, rules, validateOptions, ...rest) =>
        validateFn(schema, document, rules, { ...validateOptions, hideSuggestions: true }, ...rest),
      );
    },
  };
}

/** POST (or GET for queries) /graphql; subscriptions as server-sent events. */
export function graphqlDoor(options: {
  deps: Deps;
  schema: GraphQLSchema;
  introspection: 'ANYBODY' | 'KEYS';
  callerOf(request: Parameters<Door>[0]['request']): Promise<Caller>;
}): Door {
  const { deps } = options;
  const report = (error: unknown) => {
    const errorId = randomUUID();
    const stack = error instanceof Error ? error.stack : String(error);
    deps.log.error('unexpected error in a GraphQL operation', { errorId, error: stack });
    return errorId;
  };
  const yoga = createYoga<ServerContext, Context>({
    schema: options.schema,
    graphqlEndpoint: '/graphql',
    context: ({ caller, requestId, signal }) => createContext(deps, caller, requestId, signal),
    plugins: [csrfPrevention(), documentLimits(options)],
    maskedErrors: { isDev: false, maskError: maskWith(report) },
    maxRequestBodySize: MAX_BODY_BYTES,
    batching: false,
    multipart: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false, // what is unexpected is logged once, by `report`
  });
  return async ({ request, response, url, requestId }) => {
    if (url.pathname !== '/graphql') return false;
    // Not yoga's request.signal: that is an imitation which AbortSignal.any does not follow.
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await yoga(request, response, { caller: await options.callerOf(request), requestId, signal: gone.signal });
    return true;
  };
}
