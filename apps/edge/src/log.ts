/** One JSON object per line on the Worker's console. */

export type Log = (level: 'info' | 'warn' | 'error', event: string, fields?: Record<string, unknown>) => void;

export const log: Log = (level, event, fields) => {
  const line = JSON.stringify({ time: new Date().toISOString(), level, source: 'edge', event, ...fields });
  console.log(withoutKeys(line));
};

/** The last line of defence: no caller logs a key, but a client may have used one as its request id. */
function withoutKeys(line: string): string {
  return line.replaceAll(/anneal_[\w-]{8,}|(?<=\bBearer )[^\s"\\]+/gi, '***');
}

/** An error as a log field. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
