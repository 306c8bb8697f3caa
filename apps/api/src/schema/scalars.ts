/** The scalars beyond GraphQL's own. */
import { GraphQLError } from 'graphql';
import { builder } from '../builder.ts';

const refuse = (expected: string, value: unknown): never => {
  throw new GraphQLError(`expected ${expected}, got ${JSON.stringify(value) ?? typeof value}`);
};

builder.scalarType('DateTime', {
  description: 'A moment, ISO 8601 in UTC with milliseconds: 2026-11-24T06:00:00.000Z.',
  serialize: (value) => value.toISOString(),
  parseValue: (value) => {
    const date = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value) : undefined;
    return date && !Number.isNaN(date.getTime()) ? date : refuse('an ISO 8601 date-time', value);
  },
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
});

builder.scalarType('BigInt', {
  description:
    'A whole number of any size: a JSON number up to 2^53 - 1, beyond that a string of digits. Both are accepted.',
  serialize: (value) =>
    value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : `${value}`,
  parseValue: (value) => {
    if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return BigInt(value);
    if (typeof value === 'string' && /^-?\d{1,40}$/.test(value)) return BigInt(value);
    return refuse('a whole number, or a string of digits', value);
  },
});
