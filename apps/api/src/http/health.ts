/** GET /healthz, without a key: is the process up and does the database answer? */
import type { Deps } from '../deps.ts';
import { type Door, sendJson } from './door.ts';

/** 200 when the database answers, else 503; says nothing about anybody's data. */
export function healthDoor(deps: Pick<Deps, 'prisma' | 'log'>): Door {
  return async ({ request, response, url }) => {
    if (url.pathname !== '/healthz' || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
    try {
      await deps.prisma.$queryRaw`SELECT 1`;
      return sendJson(response, 200, { ok: true, database: 'up' });
    } catch (e) {
      deps.log.error('health: the database does not answer', { error: String(e) });
      return sendJson(response, 503, { ok: false, database: 'down' });
    }
  };
}
