/** Live updates across processes by PostgreSQL LISTEN/NOTIFY: ids only, the rows are re-read by who cares. */
import { EventEmitter, on } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import type { Logger, PubSub } from '../deps.ts';

const CHANNEL = 'anneal';
/**
 * A broken connection is tried again after this long; events of the gap are lost, so readers also look by themselves.
 */
const RECONNECT_MS = 500;
const Message = z.object({ topic: z.enum(['run', 'queue']), id: z.string() });

/** One LISTEN connection for the whole process. */
export async function postgresPubSub(url: string, log: Logger): Promise<PubSub & { close(): Promise<void> }> {
  const events = new EventEmitter().setMaxListeners(0);
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', (error) => log.warn('pubsub connection lost', { error: error.message }));
  let closed = false;
  let listener: pg.Client | undefined;

  async function listen(): Promise<void> {
    const client = new pg.Client(url);
    client.on('notification', (n) => {
      const message = Message.safeParse(JSON.parse(n.payload ?? '{}'));
      if (message.success) events.emit(message.data.topic, message.data.id);
    });
    client.on('error', () => {}); // `end` follows and handles it
    client.once('end', () => void relisten());
    await client.connect();
    await client.query(`LISTEN ${CHANNEL}`);
    listener = client;
  }
  async function relisten(): Promise<void> {
    while (!closed) {
      await delay(RECONNECT_MS);
      if (closed) return;
      try {
        return await listen();
      } catch (e) {
        log.warn('cannot listen for live updates, trying again', { error: String(e) });
      }
    }
  }
  await listen();
  return {
    async publish(topic, id) {
      await pool.query('SELECT pg_notify($1, $2)', [CHANNEL, JSON.stringify({ topic, id })]);
    },
    async *subscribe(topic, options = {}) {
      try {
        for await (const [id] of on(events, topic, options.signal ? { signal: options.signal } : {}))
          if (typeof id === 'string' && (options.id === undefined || options.id === id)) yield id;
      } catch (e) {
        if (!options.signal?.aborted) throw e; // the signal is the normal end
      }
    },
    async close() {
      closed = true;
      await listener?.end().catch(() => {});
      await pool.end();
    },
  };
}
