/** One JSON object per line on the Worker's console. */

export type Log = (level: 'info' | 'warn' | 'error', event: string, fields?: Record<string, unknown>) => void;

export const log: Log = (level, event, fields) => {
  console.log(JSON.stringify({ time: new Date().toISOString(), level, source: 'edge', event, ...fields }));
};

/** An error as a log field. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
