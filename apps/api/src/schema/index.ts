/** The schema: loads every noun and builds. Refuses to build while any root field lacks a scope. */
import { type GraphQLSchema, isObjectType } from 'graphql';
import { builder } from '../builder.ts';
import './scalars.ts';
import './enums.ts';
import './project.ts';
import './upload.ts';
import './dataset.ts';
import './commit.ts';
import './experiment.ts';
import './run.ts';
import './trainer.ts';
import './model.ts';
import './model-version.ts';
import './import.ts';
import './slice.ts';
import './feedback.ts';
import './guardrail.ts';
import './endpoint.ts';
import './deploy.ts';
import './ramp.ts';
import './drift.ts';

/** Builds the schema once per process. @throws Error naming root fields that anyone could call. */
export function buildSchema(): GraphQLSchema {
  const schema = builder.toSchema();
  const open = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
    .flatMap((type) => Object.values(type?.getFields() ?? {}).map((field) => ({ type, field })))
    .filter(({ field }) => !hasScopes(field.extensions.pothosOptions))
    .map(({ type, field }) => `${type?.name}.${field.name}`);
  if (open.length) throw new Error(`Root fields without authScopes: ${open.join(', ')}. Every one needs a scope.`);
  describeTotals(schema);
  return schema;
}

/** The prisma plugin adds this field and takes no description for it. */
function describeTotals(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    const total = isObjectType(type) && type.name.endsWith('Connection') && type.getFields().totalCount;
    if (total) total.description = 'How many there are in all; counted only when asked for.';
  }
}

function hasScopes(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'authScopes' in options && options.authScopes != null;
}

export const schema: GraphQLSchema = buildSchema();
