/** The verbs deploy and undeploy: write a revision, then wait until the edge serves it. */
import { EndpointName, EventDelivery } from '@anneal/edge/contract';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { notFound, UserError } from '../errors.ts';
import { addRevision, nextRevision, readRevision } from './endpoint.ts';
import { changed, SettingsChanges, settingsOf } from './endpoint-settings.ts';
import { IdempotencyKey, idempotent } from './idempotency.ts';
import { globalId } from './ids.ts';
import { served } from './served.ts';
import { checkLogged, checkVariants } from './variants.ts';

/** Versions that an endpoint can share its requests between. */
export const MAX_VARIANTS = 10;
/** Versions that may be run behind every answer: each costs as much as the answer. */
export const MAX_SHADOWS = 5;

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
  shadow: z
    .array(
      z.object({
        modelVersionId: globalId('ModelVersion'),
        share: z
          .number()
          .positive()
          .max(1, 'expected a share of all requests, above 0 and at most 1')
          .nullish()
          .transform((share) => share ?? 1),
      }),
    )
    .max(MAX_SHADOWS)
    .nullish(),
  events: EventDelivery.nullish(),
  settings: SettingsChanges.nullish(),
  idempotencyKey: IdempotencyKey,
});
export type DeployInput = z.output<typeof DeployInput>;

/** Points the endpoint, new or not, to these versions; returns when the edge serves them. @throws UserError */
export async function deploy(deps: Deps, projectId: string, input: DeployInput): Promise<{ endpointId: string }> {
  const { endpoint: name, variants, events } = input;
  const shadows = input.shadow ?? [];
  const { id } = await idempotent(deps, { projectId, mutation: 'deploy', input }, async (tx) => {
    const manifests = await checkVariants(tx, projectId, [...named('variants', variants), ...named('shadow', shadows)]);
    await tx.endpoint.createMany({ data: { projectId, name }, skipDuplicates: true });
    const next = await nextRevision(tx, { projectId, name });
    if (!next)
      throw new UserError('NAME_TAKEN', `Another project has an endpoint "${name}": choose another name.`, [
        'endpoint',
      ]);
    const revision = { endpointId: next.id, number: next.revision, reason: 'DEPLOY' as const, variants, shadows };
    const before = await readRevision(tx, next.id, { before: next.revision });
    const settings = changed(before?.settings ?? settingsOf({}), input.settings ?? {});
    if (input.settings?.logged) checkLogged(settings.logged, manifests, ['settings', 'logged']);
    return await addRevision(tx, { ...revision, settings, ...(events && { events }) });
  });
  return await served(deps, name, id);
}

const named = (field: string, versions: readonly { modelVersionId: string }[]) =>
  versions.map(({ modelVersionId }, i) => ({ modelVersionId, field: [field, String(i), 'modelVersionId'] }));

/** Input of {@link undeploy}. */
export const UndeployInput = z.object({ endpoint: EndpointName });

const NOTHING = { variants: [], shadows: [] };

/** Takes the endpoint off the edge: a revision without variants. Its name stays the project's. @throws UserError */
export async function undeploy(
  deps: Deps,
  projectId: string,
  { endpoint: name }: z.output<typeof UndeployInput>,
): Promise<{ endpointId: string }> {
  const id = await deps.prisma.$transaction(async (tx) => {
    const next = await nextRevision(tx, { projectId, name });
    if (!next) throw notFound('Endpoint', ['endpoint']);
    return await addRevision(tx, { endpointId: next.id, number: next.revision, reason: 'UNDEPLOY', ...NOTHING });
  });
  return await served(deps, name, id);
}
