/** The payload of every mutation that changes what an endpoint serves. */
import type { ObjectFieldsShape } from '@pothos/core';
import type { SchemaTypes } from '../builder.ts';
import { NIL } from '../domain/ids.ts';
import type { Payload } from './mutation.ts';

/** Its fields: the endpoint. */
export function servedEndpoint(description: string): ObjectFieldsShape<SchemaTypes, Payload<{ endpointId: string }>> {
  return (t) => ({
    endpoint: t.prismaField({
      type: 'Endpoint',
      nullable: true,
      description,
      resolve: (query, { endpointId }, _args, ctx) =>
        ctx.prisma.endpoint.findUnique({ ...query, where: { id: endpointId ?? NIL } }),
    }),
  });
}
