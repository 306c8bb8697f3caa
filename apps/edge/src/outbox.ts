/**
 * Events (predictions and feedback) on their way to the API, kept in a Durable Object's SQLite until the API has said
 * 2xx. Knows storage and a way to send; worker.ts gives it both.
 *
 * While the API is down or refuses the key, events wait and are tried again for ever. An event that the API calls
 * invalid must not block those behind it: a refused batch is halved until the event stands alone, which is then moved
 * to the table `refused` (the last thousand are kept, for people to look at).
 */
import type { DurableObjectStorage, SqlValue } from './env.ts';
import type { Log } from './log.ts';

export const MAX_BATCH = 200;
/** An event of 1,000 instances has about 60 kB; bodies must stay small beside the API's limit. */
const MAX_BATCH_BYTES = 1 * 2 ** 20;
/** Waiting a little makes batches; an event is never older than this before the first attempt. */
const GATHER_MS = 250;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const MAX_REFUSED = 1_000;
/** What only a faulty event causes. Others, also 401 and 404, are faults of configuration and pass. */
const REFUSED_STATUS = new Set([400, 413, 422]);

export interface Outbox {
  /** Events as JSON texts. Durable when it returns. */
  append(bodies: string[]): Promise<void>;
  /** Sends what waits; the alarm's body. Sets the next alarm itself. */
  deliver(): Promise<void>;
}

export interface OutboxParts {
  storage: DurableObjectStorage;
  /** Posts a body {events: [...]} and answers the HTTP status; 0 when there was no answer. */
  send: (body: string) => Promise<number>;
  now: () => number;
  log: Log;
}

interface Waiting {
  id: number;
  body: string;
}

/** The outbox over a Durable Object's storage. */
export function createOutbox({ storage, send, now, log }: OutboxParts): Outbox {
  const { sql } = storage;
  sql.exec('create table if not exists waiting (id integer primary key autoincrement, body text not null)');
  sql.exec('create table if not exists refused (id integer primary key, status integer not null, body text not null)');
  // One row: how many attempts failed in a row, and how many events the next batch may have.
  sql.exec('create table if not exists pace (id integer primary key, failures integer, batch integer)');
  sql.exec('insert or ignore into pace values (1, 0, ?)', MAX_BATCH);

  const pace = () => {
    const [row] = sql.exec('select failures, batch from pace');
    return { failures: Number(row?.failures ?? 0), batch: Number(row?.batch ?? MAX_BATCH) };
  };
  const setPace = (failures: number, batch: number) =>
    sql.exec('update pace set failures = ?, batch = ?', failures, batch);
  const take = (limit: number) => withinBytes(sql.exec('select id, body from waiting order by id limit ?', limit));
  const remove = (events: Waiting[]) => sql.exec('delete from waiting where id <= ?', events.at(-1)?.id ?? 0);

  const setAside = (event: Waiting, status: number) => {
    log('error', 'outbox.refused', { status, body: event.body });
    sql.exec('insert into refused values (?, ?, ?)', event.id, status, event.body);
    sql.exec('delete from refused where id not in (select id from refused order by id desc limit ?)', MAX_REFUSED);
  };

  return {
    async append(bodies) {
      // One statement: a batch of 500 is one step for the object's thread.
      sql.exec('insert into waiting (body) select value from json_each(?) order by key', JSON.stringify(bodies));
      if ((await storage.getAlarm()) === null) await storage.setAlarm(now() + GATHER_MS);
    },

    async deliver() {
      for (;;) {
        const { failures, batch } = pace();
        const events = take(batch);
        const [first] = events;
        if (!first) return;
        const status = await send(`{"events":[${events.map((event) => event.body).join(',')}]}`).catch(() => 0);
        if (status >= 200 && status < 300) {
          remove(events);
          setPace(0, Math.min(MAX_BATCH, batch * 2));
        } else if (REFUSED_STATUS.has(status)) {
          if (events.length === 1) {
            setAside(first, status);
            remove(events);
          }
          setPace(0, Math.max(1, Math.floor(events.length / 2)));
        } else {
          const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
          log('warn', 'outbox.waiting', { status, retryMs: wait, attempt: failures + 1 });
          setPace(failures + 1, batch);
          await storage.setAlarm(now() + wait);
          return;
        }
      }
    },
  };
}

/** At least one event, more as long as they fit. */
function withinBytes(rows: Iterable<Record<string, SqlValue>>): Waiting[] {
  const events: Waiting[] = [];
  let bytes = 0;
  for (const row of rows) {
    const body = String(row.body);
    bytes += body.length;
    if (events.length > 0 && bytes > MAX_BATCH_BYTES) break;
    events.push({ id: Number(row.id), body });
  }
  return events;
}
