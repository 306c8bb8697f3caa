/** The one way to declare a mutation: `fooBar(input: FooBarInput!): FooBarPayload!` with `userErrors`. */
import type { Scope } from '@anneal/edge/contract';
import type { InputFieldMap, ObjectFieldsShape } from '@pothos/core';
import type { z } from 'zod';
import { builder, type SchemaTypes } from '../builder.ts';
import type { Context } from '../context.ts';
import { type UserErrorShape, userErrorsOf } from '../errors.ts';

const UserErrorType = builder.objectRef<UserErrorShape>('UserError').implement({
  description: 'An expected failure: what the caller can do something about.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'What went wrong, for programs: NOT_FOUND, INVALID_INPUT, ...' }),
    field: t.exposeStringList('field', {
      nullable: true,
      description: 'Path of the input field at fault; null where no single one is.',
    }),
    message: t.exposeString('message', { description: 'What went wrong and what to do, for people.' }),
  }),
});

/** What the payload's fields see: the verb's answer, or none of it beside userErrors. */
export type Payload<Result> = { [K in keyof Result]?: Result[K] | null } & { userErrors: UserErrorShape[] };

type InputFields = PothosSchemaTypes.InputFieldBuilder<SchemaTypes, 'InputObject'>;

/** Options of {@link payloadMutation}. */
export interface MutationOptions<Input extends z.ZodType, Result extends object> {
  description: string;
  /** A key with this scope, or one of these, may call it. */
  scope: Scope | readonly Scope[];
  /** GraphQL's view of the input: names, types and descriptions. */
  input: (t: InputFields) => InputFieldMap;
  /** The verb's view of the input; what it refuses becomes userErrors. Ids: `globalId('Run')`. */
  validate: Input;
  /** Calls the verb. Whatever it returns is the parent of the payload's fields. */
  resolve: (input: z.output<Input>, ctx: Context) => Promise<Result>;
  /** The payload's fields beside userErrors; all nullable, because failures leave them out. */
  payload: ObjectFieldsShape<SchemaTypes, Payload<NoInfer<Result>>>;
}

/** Declares a mutation. UserError and zod's errors become `userErrors`; anything else is a bug and stays an error. */
export function payloadMutation<Input extends z.ZodType, Result extends object>(
  name: string,
  options: MutationOptions<Input, Result>,
): void {
  const title = name.charAt(0).toUpperCase() + name.slice(1);
  const input = builder.inputType(`${title}Input`, { description: `Input of ${name}.`, fields: options.input });
  const payload = builder.objectRef<Payload<object>>(`${title}Payload`);
  // The parent of these fields is what `answer` returns; TypeScript cannot resolve the field types for an open Result.
  const fields = options.payload as ObjectFieldsShape<SchemaTypes, Payload<object>>;
  payload.implement({
    description: `What ${name} did.`,
    fields: (t) => ({
      ...fields(t),
      userErrors: t.field({
        type: [UserErrorType],
        description: 'Why nothing was done; empty when it was.',
        resolve: (parent) => parent.userErrors,
      }),
    }),
  });
  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      description: options.description,
      authScopes: { scope: options.scope },
      args: { input: t.arg({ type: input, required: true, description: `Input of ${name}.` }) },
      resolve: async (_root, args, ctx) => answer(() => options.resolve(options.validate.parse(args.input), ctx)),
    }),
  );
}

async function answer<Result extends object>(verb: () => Promise<Result>): Promise<Payload<Result>> {
  try {
    const result: { [K in keyof Result]?: Result[K] | null } = await verb();
    return { userErrors: [], ...result }; // a verb that has done something may still have to say what went wrong
  } catch (error) {
    const userErrors = userErrorsOf(error);
    if (!userErrors) throw error;
    const nothing: { [K in keyof Result]?: Result[K] | null } = {};
    return { ...nothing, userErrors };
  }
}
