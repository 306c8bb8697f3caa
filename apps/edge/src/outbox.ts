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
/** Of the texts in one row; Durable Objects allow 2 MB. */
const MAX_PACK_BYTES = 2 ** 18;
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

/** Events that were appended together: in one row, which costs as much as the row of one. */
interface Pack {
  id: number;
  /** How many. */
  events: number;
  /** Their texts, with commas between. */
  body: string;
}

/** The tables: what waits, what was refused, and the pace of delivery. */
function createShelf(sql: DurableObjectStorage['sql'], log: Log) {
  sql.exec('create table if not exists packs (id integer primary key autoincrement, events integer, body text)');
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
  const insert = (events: number, body: string) =>
    sql.exec('insert into packs (events, body) values (?, ?)', events, body);
  const take = (limit: number) =>
    within(limit, sql.exec('select id, events, body from packs order by id limit ?', limit));
  const remove = (packs: Pack[]) => sql.exec('delete from packs where id <= ?', packs.at(-1)?.id ?? 0);
  adoptRows(sql);

  const setAside = (pack: Pack, status: number) => {
    log('error', 'outbox.refused', { status, row: pack.id }); // its body speaks of a client's data
    sql.exec('insert into refused values (?, ?, ?)', pack.id, status, pack.body);
    sql.exec('delete from refused where id not in (select id from refused order by id desc limit ?)', MAX_REFUSED);
  };
  /** What the API calls invalid is looked for: half as many next time, at last each event alone. */
  const narrow = (packs: Pack[], status: number) => {
    const [first, ...more] = packs;
    const events = packs.reduce((sum, pack) => sum + pack.events, 0);
    setPace(0, Math.max(1, Math.floor(events / 2)));
    if (!first || more.length > 0) return;
    if (first.events === 1) setAside(first, status);
    remove(packs);
    if (first.events > 1) for (const event of eventsIn(first)) insert(1, event);
  };
  return { pace, setPace, insert, take, remove, narrow };
}

/** The outbox over a Durable Object's storage. */
export function createOutbox({ storage, send, now, log }: OutboxParts): Outbox {
  const shelf = createShelf(storage.sql, log);
  /** Whether an alarm is set, as far as this object knows: asking storage costs as much as an append. */
  let armed = false;

  return {
    async append(bodies) {
      for (const pack of packed(bodies)) shelf.insert(pack.events, pack.body);
      if (armed) return;
      armed = true;
      try {
        if ((await storage.getAlarm()) === null) await storage.setAlarm(now() + GATHER_MS);
      } catch (error) {
        armed = false;
        throw error;
      }
    },

    async deliver() {
      try {
        for (;;) {
          const { failures, batch } = shelf.pace();
          const packs = shelf.take(batch);
          armed = packs.length > 0; // an append from here on sets the next alarm
          if (!armed) return;
          const status = await send(`{"events":[${packs.map((pack) => pack.body).join(',')}]}`).catch(() => 0);
          if (status >= 200 && status < 300) {
            shelf.remove(packs);
            shelf.setPace(0, Math.min(MAX_BATCH, batch * 2));
          } else if (REFUSED_STATUS.has(status)) shelf.narrow(packs, status);
          else {
            const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
            log('warn', 'outbox.waiting', { status, retryMs: wait, attempt: failures + 1 });
            shelf.setPace(failures + 1, batch);
            await storage.setAlarm(now() + wait);
            return;
          }
        }
      } catch (error) {
        armed = false; // the runtime may give up: then the next append asks
        throw error;
      }
    },
  };
}

/** Before packs, each event had a row of its own. */
function adoptRows(sql: DurableObjectStorage['sql']): void {
  sql.exec('create table if not exists waiting (id integer primary key autoincrement, body text not null)');
  sql.exec('insert into packs (events, body) select 1, body from waiting order by id');
  sql.exec('delete from waiting');
}

function packed(bodies: readonly string[]): Omit<Pack, 'id'>[] {
  const packs: Omit<Pack, 'id'>[] = [];
  let [events, bytes]: [string[], number] = [[], 0];
  const close = () => {
    if (events.length > 0) packs.push({ events: events.length, body: events.join(',') });
    [events, bytes] = [[], 0];
  };
  for (const body of bodies) {
    if (events.length === MAX_BATCH || bytes + body.length > MAX_PACK_BYTES) close();
    events.push(body);
    bytes += body.length;
  }
  close();
  return packs;
}

function eventsIn({ body }: Pack): string[] {
  const events: unknown[] = JSON.parse(`[${body}]`);
  return events.map((event) => JSON.stringify(event));
}

/** At least one pack, more as long as they are of `limit` events at most and fit. */
function within(limit: number, rows: Iterable<Record<string, SqlValue>>): Pack[] {
  const packs: Pack[] = [];
  let [count, bytes] = [0, 0];
  for (const row of rows) {
    const pack = { id: Number(row.id), events: Number(row.events), body: String(row.body) };
    count += pack.events;
    bytes += pack.body.length;
    if (packs.length > 0 && (count > limit || bytes > MAX_BATCH_BYTES)) break;
    packs.push(pack);
  }
  return packs;
}
