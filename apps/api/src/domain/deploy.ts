/** The verbs deploy and undeploy: write a revision, then wait until the edge serves it. */
import { EndpointName, EventDelivery } from '@anneal/edge/contract';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { awaitAcknowledgement } from './edge-push.ts';
import { addRevision, nextRevision, type VariantShare } from './endpoint.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';

/** Versions that an endpoint can share its requests between. */
export const MAX_VARIANTS = 10;

/** Input of {@link deploy}. */
export const DeployInput = z.object({
  endpoint: EndpointName,
  variants: z
    .array(
      z.object({
        modelVersionId: globalId('ModelVersion'),
        weight: z
          .number()
          .positive()
          .max(1_000_000)
          .nullish()
          .transform((weight) => weight ?? 1),
      }),
    )
    .min(1, 'expected at least one variant; undeploy takes an endpoint off the edge')
    .max(MAX_VARIANTS),
  events: EventDelivery.nullish(),
  idempotencyKey: IdempotencyKey,
});
export type DeployInput = z.output<typeof DeployInput>;

/** Points the endpoint, new or not, to these versions; returns when the edge serves them. @throws UserError */
export async function deploy(deps: Deps, projectId: string, input: DeployInput): Promise<{ endpointId: string }> {
  const { endpoint: name, variants, events } = input;
  const { id } = await idempotent(deps, { projectId, mutation: 'deploy', input }, async (tx) => {
    await checkVariants(tx, projectId, variants);
    await tx.endpoint.createMany({ data: { projectId, name }, skipDuplicates: true });
    const next = await nextRevision(tx, { projectId, name });
    if (!next)
      throw new UserError('NAME_TAKEN', `Another project has an endpoint "${name}": choose another name.`, [
        'endpoint',
      ]);
    return await addRevision(tx, { endpointId: next.id, number: next.revision, reason: 'DEPLOY', variants, events });
  });
  return await acknowledged(deps, name, id);
}

/** Input of {@link undeploy}. */
export const UndeployInput = z.object({ endpoint: EndpointName });

/** Takes the endpoint off the edge: a revision without variants. Its name stays the project's. @throws UserError */
export async function undeploy(
  deps: Deps,
  projectId: string,
  { endpoint: name }: z.output<typeof UndeployInput>,
): Promise<{ endpointId: string }> {
  const id = await deps.prisma.$transaction(async (tx) => {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) throw notFound('Endpoint', ['endpoint']);
    return await addRevision(tx, { endpointId: next.id, number: next.revision, reason: 'UNDEPLOY', variants: [] });
  });
  return await acknowledged(deps, name, id);
}

/** All of the project, none twice, and answers to one question: callers must not get labels here and numbers there. */
async function checkVariants(tx: Prisma.TransactionClient, projectId: string, variants: readonly VariantShare[]) {
  const found = await tx.modelVersion.findMany({
    where: { id: { in: variants.map((variant) => variant.modelVersionId) }, model: { projectId } },
    select: {
      id: true,
      run: { select: { experiment: { select: { task: true, datasetVersion: { select: { target: true } } } } } },
    },
  });
  const byId = new Map(found.map((version) => [version.id, version.run.experiment]));
  const seen = new Set<string>();
  let first: { task: string; target: string } | undefined;
  for (const [i, { modelVersionId }] of variants.entries()) {
    const field = ['variants', String(i), 'modelVersionId'];
    const experiment = byId.get(modelVersionId);
    if (!experiment) throw notFound('ModelVersion', field);
    if (seen.has(modelVersionId))
      throw new UserError(
        'DUPLICATE_VARIANT',
        'The version is listed twice: give it once, with the sum of weights.',
        field,
      );
    seen.add(modelVersionId);
    const question = { task: experiment.task, target: experiment.datasetVersion.target };
    first ??= question;
    if (question.task !== first.task || question.target !== first.target)
      throw new UserError(
        'VARIANTS_DIFFER',
        `All variants must predict the same: this one is ${question.task} of "${question.target}", ` +
          `the first ${first.task} of "${first.target}".`,
        field,
      );
  }
}

/** Waits until the edge serves the revision or a newer one. */
async function acknowledged(deps: Deps, name: string, revisionId: string): Promise<{ endpointId: string }> {
  const { endpointId, number } = await deps.prisma.endpointRevision.findUniqueOrThrow({ where: { id: revisionId } });
  const answer = await awaitAcknowledgement(deps, { id: endpointId, revision: number });
  if (answer.acknowledged) return { endpointId };
  const what = `Revision ${number} of endpoint "${name}" is stored, but the edge does not serve it yet`;
  if (answer.refused)
    throw new UserError(
      'EDGE_REFUSED',
      `${what}: ${answer.reason}. Check that API and edge share EDGE_ADMIN_SECRET and this installation's database; ` +
        'the API tries again from time to time.',
    );
  throw new UserError(
    'EDGE_UNREACHABLE',
    `${what}: ${answer.reason}. Check that the edge runs and that EDGE_URL (${deps.edge.url}) is its address; ` +
      'the API keeps trying, there is no need to deploy again.',
  );
}
