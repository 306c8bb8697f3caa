/** The two kinds of failure: those a caller is told in `userErrors`, and those that end an operation. Knows no verb. */
import { GraphQLError } from 'graphql';
import { z } from 'zod';

/** One expected failure, as `userErrors` shows it. */
export interface UserErrorShape {
  code: string;
  field: string[] | null;
  message: string;
}

/** An expected failure: a verb throws it, the mutation answers with it in `userErrors`. */
export class UserError extends Error {
  override name = 'UserError';
  readonly code: string;
  readonly field: string[] | null;

  constructor(code: string, message: string, field?: readonly string[]) {
    super(message);
    this.code = code;
    this.field = field ? [...field] : null;
  }
}

/** A row that does not exist and a row of another project are the same to a caller. */
export function notFound(type: string, field?: readonly string[]): UserError {
  return new UserError('NOT_FOUND', `There is no such ${type} in this project.`, field);
}

/** No valid key came with the request. */
export function unauthenticated(): GraphQLError {
  return new GraphQLError('A valid API key is needed: send "Authorization: Bearer <key>".', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
}

/** The key is valid, but may not do this. */
export function forbidden(message = 'This key has no scope that allows this.'): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'FORBIDDEN' } });
}

/** What `userErrors` says of a thrown error; undefined for errors that nobody expected. */
export function userErrorsOf(error: unknown): UserErrorShape[] | undefined {
  if (error instanceof UserError) return [{ code: error.code, field: error.field, message: error.message }];
  if (error instanceof z.ZodError) return error.issues.map(fromIssue);
  return undefined;
}

function fromIssue(issue: z.core.$ZodIssue): UserErrorShape {
  const code = issue.code === 'custom' ? issue.params?.code : undefined;
  return {
    code: typeof code === 'string' ? code : 'INVALID_INPUT',
    field: issue.path.length ? issue.path.map(String) : null,
    message: issue.message,
  };
}

/**
 * For yoga's `maskedErrors.maskError`: errors that we threw on purpose pass, all others become "Unexpected error" with
 * an id under which the log has the cause. `report` writes the log line and returns the id.
 */
export function maskWith(report: (error: unknown) => string) {
  return (error: unknown): Error => {
    if (!(error instanceof GraphQLError)) return masked(report(error));
    const cause = error.originalError;
    if (!cause || cause instanceof GraphQLError) return error;
    return masked(report(cause), error);
  };
}

function masked(id: string, at?: GraphQLError): GraphQLError {
  return new GraphQLError(`Unexpected error. The log has it under ${id}.`, {
    nodes: at?.nodes,
    path: at?.path,
    extensions: { code: 'INTERNAL', id },
  });
}
