/** Model: a registered name with its versions. */
import { builder, page } from '../builder.ts';
import { projectOf } from '../context.ts';
import { uuidOrNil } from '../domain/ids.ts';

builder.prismaNode('Model', {
  description: 'A registered name; what answers for it are its versions.',
  id: { field: 'id', description: 'Global id.' },
  nullable: true,
  findUnique: (id, ctx) => ({ id: uuidOrNil(id), projectId: projectOf(ctx.caller) }),
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the project.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When its first experiment was created.' }),
    versions: t.relatedConnection('versions', {
      description: 'Its versions, newest first. Each is immutable.',
      cursor: 'id',
      totalCount: true,
      complexity: page,
      query: { orderBy: { number: 'desc' } },
    }),
  }),
});

builder.queryField('model', (t) =>
  t.prismaField({
    type: 'Model',
    nullable: true,
    description: 'The model of that name in the project; null where there is none.',
    authScopes: { scope: 'read' },
    args: { name: t.arg.string({ required: true, description: 'The modelName of createExperiment.' }) },
    resolve: (query, _root, { name }, ctx) =>
      ctx.prisma.model.findUnique({ ...query, where: { projectId_name: { projectId: projectOf(ctx.caller), name } } }),
  }),
);

builder.queryField('models', (t) =>
  t.prismaConnection({
    type: 'Model',
    cursor: 'id',
    description: "The project's models, newest first.",
    authScopes: { scope: 'read' },
    complexity: page,
    totalCount: (_root, _args, ctx) => ctx.prisma.model.count({ where: { projectId: projectOf(ctx.caller) } }),
    resolve: (query, _root, _args, ctx) =>
      ctx.prisma.model.findMany({
        ...query,
        where: { projectId: projectOf(ctx.caller) },
        orderBy: { id: 'desc' },
      }),
  }),
);
