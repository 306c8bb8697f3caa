/** The verb updateEndpointSettings: a revision with the same variants and other settings. */
import { EventDelivery } from '@anneal/edge/contract';
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { addRevision, nextRevision, readRevision } from './endpoint.ts';
import { changed, SettingsChanges } from './endpoint-settings.ts';
import { served } from './served.ts';
import { checkLogged, checkVariants } from './variants.ts';

/** Input of {@link updateEndpointSettings}. */
export const UpdateEndpointSettingsInput = z.object({
  endpoint: z.string(),
  settings: SettingsChanges,
  events: EventDelivery.nullish(),
});

/** One more revision with the same variants and other settings; returns when the edge has them. @throws UserError */
export async function updateEndpointSettings(
  deps: Deps,
  projectId: string,
  { endpoint: name, settings: changes, events }: z.output<typeof UpdateEndpointSettingsInput>,
): Promise<{ endpointId: string }> {
  const id = await deps.prisma.$transaction(async (tx) => {
    const next = await nextRevision(tx, { projectId, name });
    const before = next && (await readRevision(tx, next.id, { before: next.revision }));
    if (!before) throw notFound('Endpoint', ['endpoint']);
    const settings = changed(before.settings, changes);
    const versions = [...before.variants, ...before.shadows].map(({ modelVersionId }) => ({
      modelVersionId,
      field: [],
    }));
    if (changes.logged)
      checkLogged(settings.logged, await checkVariants(tx, projectId, versions), ['settings', 'logged']);
    const revision = { endpointId: next.id, number: next.revision, reason: 'SETTINGS' as const, settings };
    return await addRevision(tx, { ...revision, ...(events && { events }) });
  });
  return await served(deps, name, id);
}
