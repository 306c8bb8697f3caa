/**
 * Which trainers ask this process for work, and with what: why a queued run waits. Kept in memory: whoever asks does so
 * again within seconds, and a process that has just begun says that it has.
 */
import type { Deps, PubSub } from '../deps.ts';
import type { Run, RunKind } from '../generated/prisma/client.ts';

/** A trainer that waits for work asks at least this often. */
const LATELY_MS = 60_000;
/** Workers remembered: those that asked last. */
const KEPT = 1000;

/** What a trainer asks for. */
export interface Offer {
  worker: string;
  /** Null: it works for the whole installation. */
  projectId: string | null;
  engines: readonly string[];
  kinds: readonly RunKind[];
}
type Asked = Offer & { at: number };

/** A composition (a process, a test) has one. */
const kept = new WeakMap<PubSub, { since: number; offers: Map<string, Asked> }>();

function offersOf({ pubsub, now }: Pick<Deps, 'pubsub' | 'now'>) {
  const found = kept.get(pubsub) ?? { since: now().getTime(), offers: new Map<string, Asked>() };
  kept.set(pubsub, found);
  return found;
}

/** Remembers that the trainer has asked. */
export function noteOffer(deps: Pick<Deps, 'pubsub' | 'now'>, offer: Offer): void {
  const { offers } = offersOf(deps);
  const key = `${offer.projectId} ${offer.kinds} ${offer.worker}`;
  offers.delete(key); // a Map keeps insertion order: who asked last stands last
  offers.set(key, { ...offer, at: deps.now().getTime() });
  for (const oldest of offers.keys()) {
    if (offers.size <= KEPT) break;
    offers.delete(oldest);
  }
}

type Waiting = Pick<Run, 'status' | 'kind' | 'projectId' | 'spec'>;

/** Why no trainer has taken a queued run, for people; null where one that can asks, and for runs that do not wait. */
export function waitingFor(deps: Pick<Deps, 'pubsub' | 'now'>, run: Waiting): string | null {
  if (run.status !== 'QUEUED') return null;
  const { since, offers } = offersOf(deps);
  const now = deps.now().getTime();
  const candidates = [...offers.values()].filter(
    ({ kinds, projectId }) => kinds.includes(run.kind) && (projectId === null || projectId === run.projectId),
  );
  const engine = engineOf(run);
  const fitting = candidates.filter(({ engines }) => engine === null || engines.includes(engine));
  const lately = (offer: Asked) => now - offer.at <= LATELY_MS;
  if (fitting.some(lately)) return null;
  const what = engine === null ? `of ${run.kind} runs` : `that offers ${engine}`;
  const last = fitting.at(-1);
  if (last)
    return (
      `No trainer ${what} has asked for work in the last minute; "${last.worker}" did at ` +
      `${new Date(last.at).toISOString()}: it is busy, or gone.`
    );
  const others = [...new Set(candidates.filter(lately).flatMap(({ engines }) => engines))].toSorted();
  if (others.length > 0)
    return (
      `No trainer ${what} has asked for work; offered are ${others.join(', ')}. ` +
      'Start one, or ask for another engine.'
    );
  const seconds = Math.round((now - since) / 1000);
  const time = seconds < LATELY_MS / 1000 ? `since this API began to count, ${seconds} s ago` : 'in the last minute';
  return `No trainer ${what} has asked for work ${time}: start one.`;
}

/** Null: any will do. */
function engineOf({ kind, spec }: Waiting): string | null {
  if (kind === 'IMPORT' || typeof spec !== 'object' || spec === null || !('engine' in spec)) return null;
  return spec.engine === 'AUTO' ? null : String(spec.engine);
}
