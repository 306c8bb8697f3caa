/**
 * The loop over all guardrails: count, judge, write down what changed and, where it was asked for, deploy. A guardrail
 * is looked at by one process at a time; decision and revision are written in one transaction.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deps } from '../deps.ts';
import type { Guardrail, Prisma } from '../generated/prisma/client.ts';
import {
  addRevision,
  nextRevision,
  pushRevisions,
  type RevisionContent,
  readRevision,
  type WrittenRevision,
} from './endpoint.ts';
import { endedBecause, GuardrailSettings, type GuardrailState } from './guardrail.ts';
import { countMetrics } from './guardrail-counts.ts';
import { type Evidence, judgeCounts, type Verdict } from './guardrail-verdict.ts';

/** Between two looks at a guardrail. */
const EVERY_MS = 3000;
/** One that takes long to count is looked at as much more rarely: counting takes at most 1/20 of the time. */
const REST = 20;
const DAY_MS = 86_400_000;
const PATIENT = { maxWait: 10_000, timeout: 120_000 };

type WatchDeps = Pick<Deps, 'prisma' | 'blobs' | 'edge' | 'log' | 'now'>;

/** Looks at all guardrails at once and again until the signal; resolves when it has stopped. */
export async function startGuardrails(
  deps: WatchDeps,
  options: { signal: AbortSignal; everyMs?: number },
): Promise<void> {
  const { signal, everyMs = EVERY_MS } = options;
  while (!signal.aborted) {
    await checkGuardrails(deps, everyMs).catch((error: unknown) => {
      if (!signal.aborted) deps.log.error('looking at guardrails failed', { error: String(error) });
    });
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** One look at each guardrail that nobody has looked at for so long; 0 = at all of them. */
export async function checkGuardrails(deps: WatchDeps, everyMs = 0): Promise<void> {
  const rest = everyMs > 0 ? REST : 0;
  const due = await deps.prisma.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM "Guardrail" WHERE status = 'ACTIVE' AND ("checkedAt" IS NULL OR "checkedAt" + make_interval(
      secs => greatest(${everyMs}::float8 * 0.9,
        ${rest}::float8 * coalesce((state ->> 'countedInMs')::float8, 0)) / 1000)
      <= ${deps.now()}) ORDER BY id`;
  for (const { id } of due)
    try {
      const written = await deps.prisma.$transaction((tx) => check(deps, tx, id), PATIENT);
      if (written) await pushRevisions(deps, [written]);
    } catch (error) {
      deps.log.error('looking at a guardrail failed', { guardrail: id, error: String(error) });
    }
}

/** Answers the revision that it led to, if any. Another process that has the row in hand does it instead. */
async function check(deps: WatchDeps, tx: Prisma.TransactionClient, id: string): Promise<WrittenRevision | undefined> {
  const [free] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM "Guardrail" WHERE id = ${id}::uuid AND status = 'ACTIVE' FOR UPDATE SKIP LOCKED`;
  if (!free) return undefined;
  const guardrail = await tx.guardrail.findUniqueOrThrow({ where: { id } });
  const settings = GuardrailSettings.parse(guardrail.settings);
  const now = deps.now();
  const { endpointId, modelVersionId, baselineId, since } = guardrail;
  const served = await servedNow(tx, endpointId);
  if (!isServed(guardrail, settings, served)) {
    await endedBecause(tx, now, guardrail, 'NOT_SERVED');
    return undefined;
  }
  const started = performance.now();
  const { role, metrics, alpha, minSamples } = settings;
  const watched = { endpointId, baselineId, challengerId: modelVersionId, role, since, metrics };
  const counts = await countMetrics({ prisma: tx }, watched);
  const { verdict, evidence } = judgeCounts(counts, { alpha, minSamples, shadow: role === 'SHADOW' });
  const before = (guardrail.state as GuardrailState).verdict ?? 'CONTINUE'; // nobody but this file writes it
  const state: GuardrailState = { verdict, evidence, countedInMs: Math.round(performance.now() - started) };
  await tx.guardrail.update({ where: { id }, data: { state: state as Prisma.InputJsonObject, checkedAt: now } });
  const found = { ...guardrail, state };
  const decided = { verdict, evidence, revision: served.number };
  if (settings.act && verdict !== 'CONTINUE') return await act(tx, now, found, settings, decided);
  const expired = now.getTime() >= guardrail.createdAt.getTime() + settings.maxDays * DAY_MS;
  if (verdict !== before || (expired && verdict === 'CONTINUE')) await decide(tx, id, decided, null);
  if (expired) await endedBecause(tx, now, found, 'EXPIRED');
  return undefined;
}

interface Decided {
  verdict: Verdict;
  evidence: Evidence[];
  /** Served when it was decided. */
  revision: number;
}

type Served = RevisionContent & { number: number };

/** Deploys what the verdict says, if both versions are still there, and ends the guardrail. */
async function act(
  tx: Prisma.TransactionClient,
  now: Date,
  guardrail: Omit<Guardrail, 'state'> & { state: GuardrailState },
  settings: GuardrailSettings,
  decided: Decided,
): Promise<WrittenRevision | undefined> {
  const { id, endpointId, modelVersionId: challenger } = guardrail;
  await tx.$queryRaw`SELECT id FROM "Endpoint" WHERE id = ${endpointId}::uuid FOR UPDATE`;
  const served = await servedNow(tx, endpointId);
  if (!isServed(guardrail, settings, served)) {
    await endedBecause(tx, now, guardrail, 'NOT_SERVED');
    return undefined;
  }
  const { projectId, name } = await tx.endpoint.findUniqueOrThrow({ where: { id: endpointId } });
  const next = await nextRevision(tx, { projectId, name });
  if (!next) throw new Error(`endpoint ${name} is gone although its row is locked`);
  const others = <Share extends { modelVersionId: string }>(shares: readonly Share[]) =>
    shares.filter(({ modelVersionId }) => modelVersionId !== challenger);
  await addRevision(tx, {
    endpointId,
    number: next.revision,
    reason: 'GUARDRAIL',
    variants: decided.verdict === 'PROMOTE' ? [{ modelVersionId: challenger, weight: 1 }] : others(served.variants),
    shadows: others(served.shadows),
  });
  await decide(tx, id, { ...decided, revision: served.number }, next.revision);
  await endedBecause(tx, now, guardrail, 'ACTED');
  return { id: endpointId, name, revision: next.revision };
}

async function servedNow(tx: Prisma.TransactionClient, endpointId: string): Promise<Served> {
  const { revision } = await tx.endpoint.findUniqueOrThrow({ where: { id: endpointId }, select: { revision: true } });
  const served = await readRevision(tx, endpointId, { number: revision });
  if (!served) throw new Error(`endpoint ${endpointId} has no revision ${revision}`);
  return served;
}

/** Whether both versions are where they were when it began. */
function isServed(
  { modelVersionId, baselineId }: Pick<Guardrail, 'modelVersionId' | 'baselineId'>,
  { role }: GuardrailSettings,
  { variants, shadows }: Served,
): boolean {
  const has = (of: readonly { modelVersionId: string }[], id: string) => of.some((v) => v.modelVersionId === id);
  return has(role === 'PRIMARY' ? variants : shadows, modelVersionId) && has(variants, baselineId);
}

async function decide(
  tx: Prisma.TransactionClient,
  guardrailId: string,
  { verdict, evidence, revision }: Decided,
  ledTo: number | null,
): Promise<void> {
  const data = { guardrailId, verdict, revision, ledTo, evidence: evidence as unknown as Prisma.InputJsonArray };
  await tx.guardrailDecision.create({ data });
}
